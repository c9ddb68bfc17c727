//! A server process that does not outlive its starter.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// Why a server is not there.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Starts the server and waits for the end of its own standard input: the system closes that pipe when the test process
/// is gone, also when it was killed. Only the line `keep` spares the folder. PostgreSQL's children are in sessions of
/// their own, so they are named one by one.
const GUARD: &str = r#"
folder=$1; shift
"$@" </dev/null >>"$folder/log" 2>&1 &
server=$!
echo started
read -r last
kill -9 "$server" $(cat "/proc/$server/task/$server/children" 2>/dev/null) 2>/dev/null
wait "$server" 2>/dev/null
[ "$last" = keep ] || { umount -l "$folder/data" 2>/dev/null; rm -rf "$folder"; }
"#;

/// A server in a folder of its own, which is removed in the end.
#[derive(Debug)]
pub(crate) struct Server {
    folder: PathBuf,
    command: Vec<OsString>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    shell: Child,
    orders: Option<ChildStdin>,
}

impl Server {
    /// Starts `command` and waits until it answers.
    pub(crate) fn start(folder: PathBuf, command: Vec<OsString>, answers: impl Fn() -> bool) -> Result<Self, Failure> {
        let server = Self { folder, command, running: Mutex::new(None) };
        server.start_again(answers)?;
        Ok(server)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends the server like a power cut ends it, as far as a process can: its data stays as the system has it.
    pub(crate) fn crash(&self) -> Result<(), Failure> {
        let mut running = self.running.lock().map_err(|_| "a test panicked while it held the server")?;
        let Some(mut running) = running.take() else { return Ok(()) };
        if let Some(mut orders) = running.orders.take() {
            orders.write_all(b"keep\n")?;
        }
        running.shell.wait()?;
        Ok(())
    }

    /// Starts it on the data that it had.
    pub(crate) fn start_again(&self, answers: impl Fn() -> bool) -> Result<(), Failure> {
        let mut running = self.running.lock().map_err(|_| "a test panicked while it held the server")?;
        for _ in 0..20 {
            let mut shell = Command::new("sh")
                .args(["-c", GUARD, "guard"])
                .arg(&self.folder)
                .args(&self.command)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()?;
            let mut started = String::new();
            if let Some(output) = shell.stdout.take() {
                BufReader::new(output).read_line(&mut started)?;
            }
            let orders = shell.stdin.take();
            *running = Some(Running { shell, orders });
            // A server whose predecessor is still leaving gives up at once; then it is started once more.
            for _ in 0..100 {
                if answers() {
                    return Ok(());
                }
                thread::sleep(Duration::from_millis(20));
                if self.log().contains("lock file") || self.log().contains("still in use") {
                    break;
                }
            }
            if let Some(mut running) = running.take() {
                let orders = running.orders.take();
                orders.map_or(Ok(()), |mut orders| orders.write_all(b"keep\n"))?;
                running.shell.wait()?;
            }
            let _ = fs::rename(self.folder.join("log"), self.folder.join("log.before"));
        }
        let log = fs::read_to_string(self.folder.join("log.before")).unwrap_or_default();
        Err(format!("{:?} does not answer; its last words:\n{log}", self.command).into())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Nothing can be done about a shell that is gone already.
        let _ = self.shell.wait();
    }
}

/// Runs a program to its end; its output if it succeeds, its complaints if not.
pub(crate) fn run(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{:?} failed:\n{complaint}", command.get_program()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
