//! The processes of a history, the people who use them, and what goes wrong with them.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use signoff_test_servers::{Proxy, Spoil, Way};

use super::history::mistakes::Mistake;
use super::history::{Event, What};
use super::node::{WATCHED, now};
use crate::service::Database;

/// Nothing takes as long as this, on a machine however busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a history is like.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) mistake: Option<Mistake>,
    pub(super) opaque: bool,
    /// How long faults happen.
    pub(super) rough: Duration,
    /// How long it goes on when every node answers again.
    pub(super) calm: Duration,
}

pub(super) struct Fleet {
    plan: Plan,
    /// Ends the database server and starts it again.
    restart: Box<dyn Fn() + Send + Sync>,
    nodes: Vec<Node>,
    began: Duration,
    /// When it is over; while there may be faults or a node does not answer, the end of time.
    over_at: Mutex<Duration>,
    dice: Mutex<fastrand::Rng>,
    ids: AtomicU64,
    answers: Mutex<HashMap<u64, mpsc::Sender<String>>>,
    tokens: Mutex<(u32, VecDeque<String>)>,
    events: Mutex<Vec<Event>>,
    /// What is wrong with the history beside its events.
    wrong: Mutex<Vec<String>>,
    /// What was done to the nodes.
    faults: Mutex<Vec<String>>,
}

/// Everything that happened.
pub(super) struct History {
    pub(super) events: Vec<Event>,
    pub(super) wrong: Vec<String>,
    pub(super) faults: Vec<String>,
    /// How long after the last fault every node answered again.
    pub(super) recovery: Duration,
}

struct Node {
    url: String,
    line: Proxy,
    process: Mutex<Option<Process>>,
}

struct Process {
    child: Child,
    input: ChildStdin,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything that happened, and what was wrong beside.
pub(super) fn live(plan: Plan, lines: Vec<(Proxy, Database)>, restart: impl Fn() + Send + Sync + 'static) -> History {
    let node =
        |(line, database): (Proxy, Database)| Node { url: database.url().to_owned(), line, process: Mutex::default() };
    let fleet = Arc::new(Fleet {
        dice: Mutex::new(fastrand::Rng::with_seed(plan.seed)),
        plan,
        restart: Box::new(restart),
        nodes: lines.into_iter().map(node).collect(),
        began: now(),
        over_at: Mutex::new(Duration::MAX),
        ids: AtomicU64::new(0),
        answers: Mutex::default(),
        tokens: Mutex::default(),
        events: Mutex::default(),
        wrong: Mutex::default(),
        faults: Mutex::default(),
    });
    for number in 0..fleet.nodes.len() {
        fleet.start(number);
    }
    let mut recovery = Duration::ZERO;
    thread::scope(|scope| {
        for person in 0..5 {
            let fleet = &fleet;
            scope.spawn(move || fleet.person(person));
        }
        let gremlin = || {
            while fleet.is_rough() {
                fleet.gremlin();
            }
        };
        let gremlins = [0; 2].map(|_| scope.spawn(gremlin));
        gremlins.into_iter().for_each(|gremlin| gremlin.join().unwrap());
        recovery = fleet.recover();
        *fleet.over_at.lock().unwrap() = now() + fleet.plan.calm;
    });
    for node in &fleet.nodes {
        *node.process.lock().unwrap() = None;
    }
    History {
        events: std::mem::take(&mut *fleet.events.lock().unwrap()),
        wrong: std::mem::take(&mut *fleet.wrong.lock().unwrap()),
        faults: std::mem::take(&mut *fleet.faults.lock().unwrap()),
        recovery,
    }
}

impl Fleet {
    fn is_rough(&self) -> bool {
        now() < self.began + self.plan.rough
    }

    fn is_over(&self) -> bool {
        now() >= *self.over_at.lock().unwrap()
    }

    /// Waits until every node answers again, and says how long that took.
    fn recover(&self) -> Duration {
        let began = now();
        let answers = |node| {
            let events = self.events.lock().unwrap();
            let answer =
                |event: &Event| event.node == node && matches!(event.what, What::Accepted | What::Dead | What::Gone);
            events.iter().rev().take_while(|event| event.ended > began).any(answer)
        };
        while !(0..self.nodes.len()).all(answers) {
            if now() - began > PATIENCE {
                self.wrong.lock().unwrap().push("there is a node that does not answer again".to_owned());
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        now() - began
    }

    fn dice(&self, sides: u64) -> u64 {
        self.dice.lock().unwrap().u64(0..sides)
    }

    fn pause(&self, from: u64, to: u64) {
        thread::sleep(Duration::from_millis(from + self.dice(to - from + 1)));
    }

    fn any_node(&self) -> usize {
        usize::try_from(self.dice(self.nodes.len() as u64)).unwrap()
    }

    /// Starts a process and returns when it has joined.
    fn start(self: &Arc<Self>, number: usize) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "histories::node::child", "--nocapture", "--include-ignored"]);
        command.env("SIGNOFF_HISTORY", &self.nodes[number].url);
        if let Some(mistake) = Mistake::of_node(self.plan.mistake, number) {
            command.env("SIGNOFF_MISTAKE", format!("{mistake:?}"));
        }
        if self.plan.opaque {
            command.env("SIGNOFF_OPAQUE", "");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (joined, has_joined) = mpsc::channel();
        let fleet = Arc::clone(self);
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // What the test harness prints stands before.
                match line.split_once("> ").map(|(_, told)| told) {
                    Some("joined") => drop(joined.send(())),
                    Some(told) => fleet.told(number, told),
                    None => {}
                }
            }
        });
        let mut process = Process { child, input };
        has_joined.recv_timeout(Duration::from_secs(30)).expect("the node does not join");
        let (last, latest) = self.tokens.lock().unwrap().clone();
        for (token, number) in latest.iter().zip(last - u32::try_from(latest.len()).unwrap()..) {
            writeln!(process.input, "watch {number} {token}").unwrap();
        }
        *self.nodes[number].process.lock().unwrap() = Some(process);
    }

    fn told(&self, node: usize, told: &str) {
        let words: Vec<&str> = told.split(' ').collect();
        match words.as_slice() {
            ["e", token, began, ended, what] => {
                let what = match *what {
                    "Accepted" => What::Accepted,
                    "Dead" => What::Dead,
                    "Gone" => What::Gone,
                    _ => What::Stale,
                };
                let (token, began, ended) = (token.parse().unwrap(), nanos(began), nanos(ended));
                self.events.lock().unwrap().push(Event { token, node, began, ended, what });
            }
            ["a", id, answer @ ..] => {
                if let Some(asked) = self.answers.lock().unwrap().remove(&id.parse().unwrap()) {
                    let _ = asked.send(answer.join(" "));
                }
            }
            _ => self.wrong.lock().unwrap().push(told.to_owned()),
        }
    }

    fn tell(&self, node: usize, order: &str) -> bool {
        let mut process = self.nodes[node].process.lock().unwrap();
        process.as_mut().is_some_and(|process| writeln!(process.input, "{order}").is_ok())
    }

    /// The answer, if there is one in time.
    fn ask(&self, node: usize, limit: Duration, order: impl FnOnce(u64) -> String) -> Option<String> {
        let id = self.ids.fetch_add(1, Ordering::SeqCst);
        let (asked, answer) = mpsc::channel();
        self.answers.lock().unwrap().insert(id, asked);
        let answer = self.tell(node, &order(id)).then(|| answer.recv_timeout(limit).ok()).flatten();
        self.answers.lock().unwrap().remove(&id);
        answer
    }

    /// Logs in and out, on whichever nodes.
    fn person(&self, person: usize) {
        let name = format!("person{person}");
        let (mut own, mut haunted) = (Vec::new(), false);
        while !self.is_over() {
            let node = self.any_node();
            if own.len() < 2 || self.is_rough() && own.len() < 4 {
                let answer = self.ask(node, Duration::from_secs(3), |id| format!("in {id} {name}"));
                if let Some(token) = answer.filter(|answer| answer != "no") {
                    let number = self.watch(&token);
                    if haunted {
                        self.record(number, node, now(), now(), What::Attempted);
                    }
                    own.push((number, token));
                }
            }
            self.pause(1, 300);
            if !own.is_empty() && self.dice(3) > 0 {
                haunted |= self.log_out(&name, &mut own);
            }
        }
    }

    fn watch(&self, token: &str) -> u32 {
        let mut tokens = self.tokens.lock().unwrap();
        let number = tokens.0;
        tokens.0 += 1;
        tokens.1.push_back(token.to_owned());
        if tokens.1.len() > WATCHED {
            tokens.1.pop_front();
        }
        for node in 0..self.nodes.len() {
            self.tell(node, &format!("watch {number} {token}"));
        }
        number
    }

    /// Until it is acknowledged. Whether an attempt to end everything of this person was given up, which may still arrive and
    /// end what comes later.
    fn log_out(&self, name: &str, own: &mut Vec<(u32, String)>) -> bool {
        let how = ["everywhere", "subject", "one", "one", "one", "one"][usize::try_from(self.dice(6)).unwrap()];
        let ends = match how {
            "one" => vec![own.swap_remove(usize::try_from(self.dice(own.len() as u64)).unwrap())],
            _ => std::mem::take(own),
        };
        let (mut haunts, token) = (false, &ends[0].1);
        let asked_at = now();
        while !(self.is_over() && now() - asked_at > PATIENCE) {
            let (node, began) = (self.any_node(), now());
            let answer = self.ask(node, Duration::from_secs(8), |id| format!("out {id} {how} {name} {token}"));
            let words: Vec<&str> = answer.as_deref().unwrap_or_default().split(' ').collect();
            if let ["ok", began, ended] = words.as_slice() {
                for (number, _) in &ends {
                    self.record(*number, node, nanos(began), nanos(ended), What::LoggedOut);
                }
                return haunts;
            }
            for (number, _) in &ends {
                self.record(*number, node, began, Duration::MAX, What::Attempted);
            }
            haunts |= how != "one";
            self.pause(1, 100);
        }
        self.wrong.lock().unwrap().push(format!("a logout of {name} never completed"));
        haunts
    }

    fn record(&self, token: u32, node: usize, began: Duration, ended: Duration, what: What) {
        self.events.lock().unwrap().push(Event { token, node, began, ended, what });
    }

    fn signal(&self, node: usize, name: &str) {
        let process = self.nodes[node].process.lock().unwrap();
        if let Some(process) = &*process {
            let killed = Command::new("kill").args([format!("-{name}"), process.child.id().to_string()]).status();
            assert!(killed.unwrap().success());
        }
    }

    /// Makes something go wrong with one node, and right again.
    fn gremlin(self: &Arc<Self>) {
        self.pause(1, 700);
        let (mut number, mut fault) = (self.any_node(), self.dice(20));
        let mut lasts = if self.dice(2) == 0 { self.dice(600) } else { self.dice(4_000) };
        if let Some(mistake) = self.plan.mistake {
            // Where the mistake is, of the kind that brings it out, and for long enough to matter.
            let kinds = match mistake {
                Mistake::FailOpen => [0, 11],
                Mistake::WallClock => [17, 0],
                Mistake::AcknowledgeFirst | Mistake::Sequence => [8, 8],
                Mistake::HintsOnly => [0, 0],
                _ => [8, 11],
            };
            (number, fault) = (0, kinds[usize::try_from(self.dice(2)).unwrap()]);
            lasts = 2_700 + self.dice(1_500);
        }
        let lasts = Duration::from_millis(lasts).min((self.began + self.plan.rough).saturating_sub(now()));
        let line = &self.nodes[number].line;
        let way = if self.dice(2) == 0 { Way::There } else { Way::Back };
        let said = format!("{:?}: fault {fault} at {number} for {lasts:?}", now());
        self.faults.lock().unwrap().push(said);
        match fault {
            0..3 => line.spoil(way, self.dice(3_000), Spoil::CutAll),
            3..6 => line.spoil(way, self.dice(3_000), Spoil::Stall),
            // Whichever connection it is: that of the hints, too.
            6..8 => line.spoil(way, self.dice(3_000), Spoil::Cut),
            8..11 => line.delay(Duration::from_millis(1 + self.dice(250))),
            11..15 => self.signal(number, "STOP"),
            15..17 => {
                let gone = self.nodes[number].process.lock().unwrap().take();
                if gone.is_some() {
                    drop(gone);
                    thread::sleep(lasts / 2);
                    self.start(number);
                }
                return;
            }
            17..19 => {
                let hour = 3_600_000_000;
                let off = if self.plan.mistake.is_some() { 0 } else { self.dice(2 * hour) };
                self.tell(number, &format!("wall {}", i128::from(off) - i128::from(hour)));
                return;
            }
            _ => {
                (self.restart)();
                return;
            }
        }
        thread::sleep(lasts);
        if (11..15).contains(&fault) {
            self.signal(number, "CONT");
        }
        line.heal();
        self.faults.lock().unwrap().push(format!("{:?}: over at {number}", now()));
    }
}

fn nanos(text: &str) -> Duration {
    Duration::from_nanos(text.parse().unwrap())
}
