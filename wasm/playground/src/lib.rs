//! The simulator behind a handful of calls: a producer, three brokers and the network between them in virtual time, for
//! the playground of the demo page. [`Game`] is it; [`Playground`] is what JavaScript sees of it.

mod audit;
mod board;
mod control;
mod faults;
mod frame;
mod game;
mod news;
mod picture;
mod setup;

pub use game::Game;
use wasm_bindgen::prelude::wasm_bindgen;

/// A run, from a web page. Times are milliseconds of the run.
#[wasm_bindgen]
pub struct Playground(Game);

#[wasm_bindgen]
impl Playground {
    /// A run before its first step. Everything random follows from `seed`. Without `idempotent` what is sent again may be
    /// stored again.
    ///
    /// # Errors
    /// The producer refuses its options.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: u32, idempotent: bool) -> Result<Self, String> {
        Game::new(seed.into(), idempotent).map(Self)
    }

    /// Lets so many milliseconds pass.
    pub fn run(&mut self, milliseconds: u32) {
        self.0.run(milliseconds.into());
    }

    /// Lets time pass until something can be seen.
    pub fn step(&mut self) {
        self.0.step();
    }

    /// The application sends so many records a second; 0: none.
    #[wasm_bindgen(js_name = setRate)]
    pub fn set_rate(&mut self, rate: u32) {
        self.0.set_rate(rate);
    }

    /// Faults at random moments, or no more of them.
    #[wasm_bindgen(js_name = setChaos)]
    pub fn set_chaos(&mut self, on: bool) {
        self.0.set_chaos(on);
    }

    /// The application sends so many records to a partition.
    pub fn send(&mut self, partition: i32, records: u32) {
        self.0.send(partition, records);
    }

    /// Lets something go wrong: `Game::fault` has the names.
    ///
    /// # Errors
    /// There is nothing of that name, or it cannot happen now.
    pub fn fault(&mut self, name: &str, target: i32) -> Result<(), String> {
        self.0.fault(name, target)
    }

    /// Ends all faults.
    pub fn heal(&mut self) {
        self.0.heal();
    }

    /// Ends all faults, waits for every outcome, closes the producer and checks everything. The run is over then.
    pub fn finish(&mut self) {
        self.0.finish();
    }

    /// Everything there is to draw, as JSON.
    pub fn frame(&mut self) -> String {
        self.0.frame()
    }
}
