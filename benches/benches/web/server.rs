//! Servers as processes, each on one core.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::thread::{CpuSet, sched_setaffinity};
use signoff_benches::remark;
use signoff_test_servers::{Peer, Sessions};

use crate::Failure;

/// Binds this thread, and what it starts from then on, to these cores. On a machine with one, everything shares it.
pub(crate) fn bind_to(cores: &[usize]) {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    if let Err(error) = sched_setaffinity(None, &set) {
        remark(format_args!("not bound to {cores:?}: {error}"));
    }
}

/// Ends with this.
pub(crate) struct Server {
    process: Process,
    address: String,
}

enum Process {
    Ours(Child),
    Peer { _peer: Peer },
}

impl Server {
    /// One of [`serve`](crate::serve).
    pub(crate) fn start(name: &str, place: &str) -> Result<Self, Failure> {
        let mut process =
            Command::new(std::env::current_exe()?).args(["--serve", name, place]).stdout(Stdio::piped()).spawn()?;
        let out = process.stdout.take().ok_or("it has an output")?;
        let mut address = String::new();
        BufReader::new(out).read_line(&mut address)?;
        if address.is_empty() {
            return Err(format!("the server {name} does not start").into());
        }
        Ok(Self { process: Process::Ours(process), address: address.trim().to_owned() })
    }

    /// What others do.
    pub(crate) fn peer(sessions: Sessions<'_>) -> Result<Self, Failure> {
        let (peer, address) = Peer::measure(sessions).map_err(|error| error.to_string())?;
        Ok(Self::from((peer, address)))
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl From<(Peer, String)> for Server {
    fn from((peer, address): (Peer, String)) -> Self {
        Self { process: Process::Peer { _peer: peer }, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Process::Ours(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
