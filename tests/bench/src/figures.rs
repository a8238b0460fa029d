//! What was measured, and printing it: as tables for people, as JSON for programs.

use stepwell_bench::jsonata::{binding, evaluations, expressions, load};
use stepwell_bench::language::{definitions, growth, machines, steps};
use stepwell_bench::sample::Plan;
use stepwell_bench::served::fill;
use stepwell_bench::served::{http, stored, timers, waiting};
use stepwell_bench::{calls, guest, hostile, modules, report, transitions};

/// What was measured.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) durable: Vec<transitions::Level>,
    pub(crate) called: Vec<calls::Level>,
    pub(crate) languages: Vec<modules::Language>,
    pub(crate) stepped: Vec<steps::Level>,
    pub(crate) parsed: Vec<definitions::Level>,
    pub(crate) mapped: Vec<growth::Level>,
    pub(crate) evaluated: Option<evaluations::Evaluations>,
    pub(crate) bound: Option<binding::Level>,
    pub(crate) loaded: Option<load::Level>,
    pub(crate) beset: Option<hostile::Level>,
    pub(crate) served: Option<http::Served>,
    pub(crate) express: Option<http::Served>,
    pub(crate) waiting: Option<waiting::Waiting>,
    pub(crate) fired: Option<timers::Fired>,
    pub(crate) stored: Option<stored::Stored>,
}

impl Figures {
    fn conditions(&self) -> String {
        let others = self.durable.iter().map(|level| level.others);
        let others = others.chain(self.called.iter().map(|level| level.others));
        let levels = self.languages.iter().flat_map(|language| &language.levels);
        let others = others.chain(levels.map(|level| level.others));
        let others = others.chain(self.stepped.iter().map(|level| level.others));
        let others = others.chain(self.parsed.iter().map(|level| level.others));
        let others = others.chain(self.mapped.iter().map(|level| level.others));
        let evaluated = self.evaluated.iter().flat_map(|evaluated| &evaluated.levels);
        let others = others.chain(evaluated.map(|level| level.others));
        let others = others.chain(self.beset.iter().map(|level| level.others));
        let others = others.chain(self.bound.iter().map(|level| level.others));
        let others = others.chain(self.loaded.iter().map(|level| level.others));
        let levels = self.served.iter().chain(&self.express).flat_map(|served| &served.levels);
        let others = others.chain(levels.map(|level| level.others));
        let others = others.chain(self.waiting.iter().map(|waiting| waiting.others));
        let others = others.chain(self.stored.iter().map(|stored| stored.others));
        report::conditions(others.chain(self.fired.iter().map(|fired| fired.others)))
    }

    pub(crate) fn print_json(&self) {
        let figures = serde_json::json!({
            "conditions": self.conditions(),
            "transitions": report::transitions_json(&self.durable),
            "calls": report::calls_json(&self.called),
            "modules": report::modules_json(&self.languages),
            "hostile": self.beset.as_ref().map(report::hostile_json),
            "steps": report::steps_json(&self.stepped),
            "definitions": report::definitions_json(&self.parsed),
            "maps": report::growth_json(&self.mapped),
            "jsonata": self.evaluated.as_ref().map(report::evaluations_json),
            "jsonataInputs": self.bound.as_ref().map(report::binding_json),
            "jsonataLoad": self.loaded.as_ref().map(report::load_json),
            "http": self.served.as_ref().map(report::http_json),
            "express": self.express.as_ref().map(report::http_json),
            "waiting": self.waiting.as_ref().map(report::waiting_json),
            "timers": self.fired.as_ref().map(report::timers_json),
            "stored": self.stored.as_ref().map(report::stored_json),
        });
        println!("{figures:#}");
    }

    pub(crate) fn print_tables(&self, plan: Plan) {
        println!("{}", self.conditions());
        println!("medians over {} rounds of {:.1} s each", plan.rounds, plan.window.as_secs_f64());
        if !self.durable.is_empty() {
            println!("\nDurable transitions, against a bare loop of append (the same bytes) + fdatasync");
            println!("{}", report::transitions_table(&self.durable));
            if let Some(bound) = report::transitions_bound(&self.durable) {
                println!("{bound}");
            }
        }
        if !self.called.is_empty() {
            println!("\nModule calls ({} bytes of JSON), against a bare wasmtime loop", guest::INPUT.len());
            println!("{}", report::calls_table(&self.called));
        }
        if !self.languages.is_empty() {
            println!("\nCalls of guests in every language, against a bare wasmtime loop");
            println!("{}", report::modules_table(&self.languages));
            println!("\nWhat such a module costs: compiled once, loaded at each start, and while calls wait");
            println!("{}", report::module_costs_table(&self.languages));
        }
        if let Some(beset) = &self.beset {
            let modules: u32 = hostile::KINDS.iter().map(|kind| kind.count).sum();
            println!(
                "\n{} calls a second of a module, alone and beside {modules} hostile ones",
                hostile::RATE
            );
            println!("{}", report::neighbour_table(beset));
            println!("\nHow the hostile calls ended");
            println!("{}", report::hostile_table(beset));
        }
        if !self.stepped.is_empty() {
            let bytes = machines::order().to_string().len();
            println!(
                "\nStates of `step` in memory, against writing {bytes} bytes of JSON twice and copying them once"
            );
            println!("{}", report::steps_table(&self.stepped));
            println!("\nDefinitions, parsed and validated, against the JSON parser alone");
            println!("{}", report::definitions_table(&self.parsed));
            println!("\nTransitions of a Map state, against those of the smallest Map");
            println!("{}", report::growth_table(&self.mapped));
        }
        self.print_jsonata();
        self.print_served();
    }

    fn print_served(&self) {
        if let Some(served) = &self.served {
            println!("\nThrough the HTTP API over {}; {}", served.store.name(), served.ends.words());
            println!("{}", report::http_table(served));
            println!("\nThe baselines of the same rounds: append + fdatasync, bare wasmtime, bare axum");
            println!("{}", report::baselines_table(served));
            println!("\nBeside the best of the peers, measured on the same kind of machine");
            println!("{}", report::beaten_table(served));
            println!(
                "resident when idle: {:.1} MB; requests that the server asked to repeat: {}",
                megabytes(served.idle.resident_bytes),
                served.throttled
            );
        }
        if let Some(served) = &self.express {
            println!("\nExpress workflows through the HTTP API over {}", served.store.name());
            println!("{}", report::http_table(served));
            println!("\nThe baselines of the same rounds: append + fdatasync, bare wasmtime, bare axum");
            println!("{}", report::baselines_table(served));
        }
        if let Some(waiting) = &self.waiting {
            println!(
                "\n{} executions that wait over {}, started by {} clients; {}",
                waiting.executions,
                waiting.store.name(),
                fill::CLIENTS,
                waiting.ends.words()
            );
            println!("{}", report::waiting_table(waiting));
            if let Some(table) = report::come_back_table(waiting) {
                println!("\nStarted again after kill -9");
                println!("{table}");
            }
        }
        if let Some(fired) = &self.fired {
            println!("\nDurable timers over {}", fired.store.name());
            println!("{}", report::timers_table(fired));
        }
        if let Some(stored) = &self.stored {
            println!(
                "\nLooking at executions that have ended, over {}, one request after the other",
                stored.store.name()
            );
            println!("{}", report::stored_table(stored));
        }
    }

    pub(crate) fn print_jsonata(&self) {
        if let Some(evaluated) = &self.evaluated {
            println!("\nJSONata expressions over {} bytes of JSON", expressions::order().to_string().len());
            println!("{}", report::evaluations_table(evaluated));
        }
        if let Some(bound) = &self.bound {
            println!("\nJSONata that reads one field, against the same with a small input");
            println!("{}", report::binding_table(bound));
        }
        if let Some(loaded) = &self.loaded {
            println!(
                "\nQuick executions, {} open in each query language, beside hostile ones, against the same without them",
                load::QUICK
            );
            println!("{}", report::load_table(loaded));
            println!("\nHow the hostile executions ended, each with {}", load::ERROR);
            println!("{}", report::outcomes_table(loaded));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
