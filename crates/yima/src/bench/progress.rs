//! Says on standard error how far a long piece of work has come: in place on a terminal, else a line now
//! and then. Never on standard output, which is the result's.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often a terminal is told.
const EVERY: Duration = Duration::from_millis(200);
/// How often a file is told.
const EVERY_LINE: Duration = Duration::from_secs(10);

/// One piece of work.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    total: usize,
    done: Cell<usize>,
    begun: Instant,
    said: Cell<Instant>,
    terminal: bool,
}

impl Progress {
    /// Work in so many steps.
    pub fn new(what: &'static str, total: usize) -> Progress {
        let now = Instant::now();
        let terminal = std::io::stderr().is_terminal();
        Progress { what, total, done: Cell::new(0), begun: now, said: Cell::new(now), terminal }
    }

    /// One more step is done.
    pub fn step(&self) {
        self.reach(self.done.get() + 1);
    }

    /// So many steps are done.
    pub fn reach(&self, done: usize) {
        self.done.set(done);
        let every = if self.terminal { EVERY } else { EVERY_LINE };
        if self.said.get().elapsed() >= every {
            self.say();
        }
    }

    fn say(&self) {
        self.said.set(Instant::now());
        let (end, start) = if self.terminal { ("", "\r\x1b[K") } else { ("\n", "") };
        let seconds = self.begun.elapsed().as_secs();
        eprint!("{start}{}: {} of {} in {seconds} s{end}", self.what, self.done.get(), self.total);
        let _ = std::io::stderr().flush(); // nobody is told, then
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
