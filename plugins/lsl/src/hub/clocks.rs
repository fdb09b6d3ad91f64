//! The clocks of the recording: one for each machine, as far as its outlets' time services agree.

use std::net::SocketAddr;

use crossbeam_channel::Sender;
use lockstep_plugin_api::{Clock, ClockInfo, Corridor, Domain, Error, Exchange, Host};

use crate::clock::Order;
use crate::found::Found;

/// A clock of the recording.
#[derive(Debug)]
pub struct SharedClock {
    clock: Clock,
    name: String,
    hostname: String,
    ip: Option<std::net::IpAddr>,
    /// Where its offset was when it was last measured.
    pub corridor: Option<Corridor>,
    members: Vec<SocketAddr>,
}

impl SharedClock {
    /// The recorder's handle.
    pub fn handle(&self) -> Clock {
        self.clock
    }
}

/// All clocks.
#[derive(Debug)]
pub struct Clocks {
    host: Host,
    all: Vec<SharedClock>,
    orders: Sender<Order>,
}

impl Clocks {
    /// None yet; `orders` go to the prober.
    pub fn new(host: Host, orders: Sender<Order>) -> Self {
        Self { host, all: Vec::new(), orders }
    }

    /// Have the time service at `at` looked at.
    pub fn look(&self, token: u64, at: SocketAddr) {
        // One that finds no room is noticed by the look that never ends.
        let _ = self.orders.try_send(Order::Look { token, at });
    }

    /// The clock that stamps `outlet`, whose time service answered `looked`: one of the same machine that
    /// agrees with it, or a new one.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn of(&mut self, outlet: &Found, looked: &[Exchange]) -> Result<usize, Error> {
        let corridor = Corridor::new(looked, 0.0);
        let ip = outlet.time_service.or(outlet.data).map(|at| at.ip());
        let fits = |c: &SharedClock| {
            let one = corridor.zip(c.corridor);
            c.hostname == outlet.hostname && c.ip == ip && one.is_some_and(|(a, b)| a.agrees(&b))
        };
        if let Some(number) = self.all.iter().position(fits) {
            self.measured(number, looked)?;
            return Ok(number);
        }
        let plain = format!("LSL clock {}", outlet.hostname);
        let numbered = (2..).map(|n| format!("{plain} #{n}"));
        let mut names = std::iter::once(plain.clone()).chain(numbered);
        let name = names.find(|name| !self.all.iter().any(|c| c.name == *name)).unwrap_or_default();
        let clock = self.host.add_clock(&ClockInfo::new(name.clone(), Domain::Monotonic))?;
        let hostname = outlet.hostname.clone();
        self.all.push(SharedClock { clock, name, hostname, ip, corridor: None, members: Vec::new() });
        let number = self.all.len() - 1;
        self.measured(number, looked)?;
        Ok(number)
    }

    /// Exchanges with clock `number` that were made before it was known to be this one.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn measured(&mut self, number: usize, exchanges: &[Exchange]) -> Result<(), Error> {
        if let (Some(shared), Some(corridor)) = (self.all.get_mut(number), Corridor::new(exchanges, 0.0)) {
            // Looks at several outlets of one machine go on at once, and so may a burst: the exchanges of one
            // clock are recorded in their order, and a second look at the same time tells nothing new.
            if shared.members.is_empty() && shared.corridor.is_none() {
                let _ = shared.clock.push_exchanges(exchanges)?;
            }
            shared.corridor = Some(corridor);
        }
        Ok(())
    }

    /// The prober measured clock `number`.
    pub fn seen(&mut self, number: usize, corridor: Option<Corridor>) {
        if let (Some(shared), Some(corridor)) = (self.all.get_mut(number), corridor) {
            shared.corridor = Some(corridor);
        }
    }

    /// The clock of this number.
    pub fn get(&self, number: usize) -> Option<&SharedClock> {
        self.all.get(number)
    }

    /// Clock `number` is another one now.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn reset(&mut self, number: usize, reason: &str) -> Result<(), Error> {
        if let Some(shared) = self.all.get_mut(number) {
            shared.clock.reset(reason)?;
            shared.corridor = None;
            // Exchanges with the one before must not be mixed with those to come.
            self.order(number, Vec::new());
        }
        Ok(())
    }

    /// Clock `number` can be asked at `members`.
    pub fn ask_at(&mut self, number: usize, members: Vec<SocketAddr>) {
        if self.all.get(number).is_some_and(|shared| shared.members != members) {
            self.order(number, members);
        }
    }

    fn order(&mut self, number: usize, members: Vec<SocketAddr>) {
        let Some(shared) = self.all.get_mut(number) else { return };
        let order = Order::Measure { number, clock: shared.clock, members: members.clone() };
        // One that finds no room is given again: the members are noted only when they were told.
        if self.orders.try_send(order).is_ok() {
            shared.members = members;
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }
}
