//! A bad line: passes bytes between a TCP port and a server's Unix socket until it is told to spoil them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::guard::Failure;

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Way {
    /// From the client to the server.
    There,
    /// From the server to the client.
    Back,
}

/// What happens to a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Spoil {
    /// It breaks, and both ends notice.
    Cut,
    /// It breaks, and so does every other one; nobody gets through until [`Proxy::heal`].
    CutAll,
    /// Bytes vanish in both directions, and neither end notices: half-open, until [`Proxy::heal`] breaks it.
    Stall,
}

/// A port of the loopback interface that leads to a server.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Where new connections lead.
    server: PathBuf,
    /// How many bytes have passed.
    there: u64,
    back: u64,
    /// What to do after so many more bytes of one direction.
    plan: Option<(Way, u64, Spoil)>,
    closed: bool,
    delay: Duration,
    lines: Vec<(Arc<Line>, bool)>,
}

/// Both ends of a connection.
#[derive(Debug)]
struct Line {
    client: TcpStream,
    server: UnixStream,
}

impl Proxy {
    /// A line to the server behind this socket.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub fn to(socket: &Path) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State { server: socket.to_owned(), ..State::default() }));
        let accepting = Arc::clone(&state);
        // Ends with the process, as the servers do.
        thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { port, state })
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on the line leads to another server; what there was is cut.
    pub(crate) fn lead_to(&self, socket: &Path) {
        let mut state = lock(&self.state);
        socket.clone_into(&mut state.server);
        state.lines.drain(..).for_each(|(line, _)| line.cut());
    }

    /// How many bytes have passed this way.
    pub fn passed(&self, way: Way) -> u64 {
        let state = lock(&self.state);
        match way {
            Way::There => state.there,
            Way::Back => state.back,
        }
    }

    /// Spoils the connection that carries the next byte after `bytes` more ones this way, once.
    pub fn spoil(&self, way: Way, bytes: u64, how: Spoil) {
        lock(&self.state).plan = Some((way, bytes, how));
    }

    /// Whether what was planned has not happened yet.
    pub fn is_pending(&self) -> bool {
        lock(&self.state).plan.is_some()
    }

    /// Holds every piece back for so long, in both directions.
    pub fn delay(&self, delay: Duration) {
        lock(&self.state).delay = delay;
    }

    /// The line is good again: for new connections, and for old ones that were not spoiled. Those that stall break.
    pub fn heal(&self) {
        let mut state = lock(&self.state);
        state.plan = None;
        state.closed = false;
        state.delay = Duration::ZERO;
        state.lines.retain(|(line, stalled)| {
            if *stalled {
                line.cut();
            }
            !stalled
        });
    }
}

impl Line {
    fn cut(&self) {
        // What is closed already is closed.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

impl State {
    /// How many of these bytes pass, and what happens then.
    fn take(&mut self, way: Way, bytes: usize) -> (usize, Option<Spoil>) {
        let mut passing = bytes;
        let mut spoil = None;
        if let Some((planned, left, how)) = &mut self.plan
            && *planned == way
        {
            let whole = usize::try_from(*left).unwrap_or(usize::MAX);
            if whole < bytes {
                (passing, spoil) = (whole, Some(*how));
                self.plan = None;
            } else {
                *left -= bytes as u64;
            }
        }
        match way {
            Way::There => self.there += passing as u64,
            Way::Back => self.back += passing as u64,
        }
        (passing, spoil)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|poison| poison.into_inner())
}

fn accept(listener: &TcpListener, state: &Arc<Mutex<State>>) {
    for client in listener.incoming() {
        let Ok(client) = client else { continue };
        let mut held = lock(state);
        // A server that is down, or a line that is: the client's connection closes at once.
        if held.closed {
            continue;
        }
        let Ok(server) = UnixStream::connect(&held.server) else { continue };
        // Small pieces are what the tests are about.
        let _ = client.set_nodelay(true);
        let line = Arc::new(Line { client, server });
        held.lines.push((Arc::clone(&line), false));
        for way in [Way::There, Way::Back] {
            let (line, state) = (Arc::clone(&line), Arc::clone(state));
            thread::spawn(move || pass(&line, way, &state));
        }
    }
}

/// Until one end closes.
fn pass(line: &Arc<Line>, way: Way, state: &Mutex<State>) {
    let mut piece = [0; 16 * 1024];
    loop {
        let read = match way {
            Way::There => (&line.client).read(&mut piece),
            Way::Back => (&line.server).read(&mut piece),
        };
        let Ok(read @ 1..) = read else { break };
        let delay = lock(state).delay;
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        let (passing, spoil, stalled) = {
            let mut state = lock(state);
            if state.lines.iter().any(|(other, stalled)| *stalled && Arc::ptr_eq(other, line)) {
                (0, None, true)
            } else {
                let (passing, spoil) = state.take(way, read);
                (passing, spoil, false)
            }
        };
        if stalled {
            continue;
        }
        let written = match way {
            Way::There => (&line.server).write_all(&piece[..passing]),
            Way::Back => (&line.client).write_all(&piece[..passing]),
        };
        match spoil {
            None if written.is_ok() => {}
            None | Some(Spoil::Cut) => break,
            Some(Spoil::CutAll) => {
                let mut state = lock(state);
                state.closed = true;
                state.lines.drain(..).for_each(|(line, _)| line.cut());
                return;
            }
            Some(Spoil::Stall) => {
                let mut state = lock(state);
                for (other, stalled) in &mut state.lines {
                    *stalled |= Arc::ptr_eq(other, line);
                }
            }
        }
    }
    let mut state = lock(state);
    // A half-open line stays so for the end that is left.
    if !state.lines.iter().any(|(other, stalled)| *stalled && Arc::ptr_eq(other, line)) {
        line.cut();
        state.lines.retain(|(other, _)| !Arc::ptr_eq(other, line));
    }
}
