//! Modules import downwards only: a module may use what stands above it in `LAYERS`, and nothing else of the crate.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate in the order in which they build on each other. A folder's `mod.rs` is its map: it lists its
/// children, in the order of this list, and re-exports them.
const LAYERS: &[&str] = &[
    "sync::system",
    "sync::instrumented",
    "sync::decision",
    "sync::model",
    "sync",
    "fork::gate",
    "fork::process",
    "fork::of_process",
    "fork",
    "turnstile",
    "hold_back",
    "detached",
    "error",
    "time",
    "timer::signal",
    "timer::contract",
    "timer::alarms",
    "timer::manual",
    "timer::system",
    "timer::tokio_timer",
    "timer::wall",
    "timer",
    "rate",
    "rates",
    "pace",
    "quota",
    "algorithm::blocked",
    "algorithm::parts",
    "algorithm::lanes",
    "algorithm::fixed_window",
    "algorithm::gcra",
    "algorithm::totals",
    "algorithm::sliding_window_log",
    "algorithm::ledger",
    "algorithm",
    "store::outcome",
    "store::batch",
    "store::bucket::state",
    "store::bucket::operations",
    "store::bucket::numbers",
    "store::bucket::codec",
    "store::bucket::in_place",
    "store::bucket",
    "store::line",
    "store::submission",
    "store::contract",
    "store::memory::clock",
    "store::memory::pinned",
    "store::memory::shard",
    "store::memory::sweep",
    "store::memory::table",
    "store::memory::housekeeping",
    "store::memory::handle",
    "store::memory::store",
    "store::memory",
    "store::asked",
    "store::host_clock",
    "store::percent",
    "store::answers",
    "store::pause",
    "store::tls",
    "store::wire",
    "store::redis::secret",
    "store::redis::endpoint",
    "store::redis::access",
    "store::redis::scheme",
    "store::redis::options",
    "store::redis::url",
    "store::redis::fake",
    "store::redis::papers",
    "store::redis::tls",
    "store::redis::login",
    "store::redis::refusal",
    "store::redis::link",
    "store::redis::sentinel",
    "store::io",
    "store::started",
    "store::coalesce",
    "store::redis::secret",
    "store::redis::endpoint",
    "store::redis::access",
    "store::redis::scheme",
    "store::redis::options",
    "store::redis::url",
    "store::redis::fake",
    "store::redis::papers",
    "store::redis::tls",
    "store::redis::login",
    "store::redis::refusal",
    "store::redis::link",
    "store::redis::sentinel",
    "store::redis::settings",
    "store::redis::job",
    "store::redis::intake",
    "store::redis::failure",
    "store::redis::encode",
    "store::redis::reply",
    "store::redis::script",
    "store::redis::call",
    "store::redis::contents",
    "store::redis::differential::server",
    "store::redis::differential::model",
    "store::redis::differential::comparison",
    "store::redis::differential::lists",
    "store::redis::differential::cases",
    "store::redis::differential::play",
    "store::redis::differential::random",
    "store::redis::differential::numbers",
    "store::redis::differential::logs",
    "store::redis::differential::lanes",
    "store::redis::differential::back",
    "store::redis::differential::keeping",
    "store::redis::differential::strange",
    "store::redis::differential",
    "store::redis::evaluated",
    "store::redis::node",
    "store::redis::single",
    "store::redis::slot",
    "store::redis::slots",
    "store::redis::master",
    "store::redis::cluster",
    "store::redis::way",
    "store::redis::list",
    "store::redis::store",
    "store::redis::builder",
    "store::redis",
    "store::postgres::settings",
    "store::postgres::tls_mode",
    "store::postgres::options",
    "store::postgres::url",
    "store::postgres::certificate",
    "store::postgres::verifier",
    "store::postgres::tls",
    "store::postgres::failure",
    "store::postgres::id",
    "store::postgres::schema",
    "store::postgres::statement",
    "store::postgres::dial",
    "store::postgres::notices",
    "store::postgres::session",
    "store::postgres::in_turn",
    "store::postgres::rights",
    "store::postgres::held",
    "store::postgres::entry",
    "store::postgres::pool",
    "store::postgres::job",
    "store::postgres::intake",
    "store::postgres::turns",
    "store::postgres::call",
    "store::postgres::arguments",
    "store::postgres::verdicts",
    "store::postgres::log",
    "store::postgres::stored",
    "store::postgres::row_text",
    "store::postgres::transaction",
    "store::postgres::change_text",
    "store::postgres::look",
    "store::postgres::general",
    "store::postgres::script",
    "store::postgres::sweep",
    "store::postgres::decider",
    "store::postgres::list",
    "store::postgres::way",
    "store::postgres::store",
    "store::postgres::builder",
    "store::postgres::differential::asked",
    "store::postgres::differential::rows",
    "store::postgres::differential::layout",
    "store::postgres::differential::server",
    "store::postgres::differential::model",
    "store::postgres::differential::comparison",
    "store::postgres::differential::lists",
    "store::postgres::differential::cases",
    "store::postgres::differential::play",
    "store::postgres::differential::random",
    "store::postgres::differential::numbers",
    "store::postgres::differential::many",
    "store::postgres::differential::logs",
    "store::postgres::differential::strange",
    "store::postgres::differential::sweeping",
    "store::postgres::differential::swept_in_parts",
    "store::postgres::differential::together",
    "store::postgres::differential::ways",
    "store::postgres::differential::by_script",
    "store::postgres::differential::size",
    "store::postgres::differential",
    "store::postgres",
    "store::shared_memory::failure",
    "store::shared_memory::words",
    "store::shared_memory::geometry",
    "store::shared_memory::journal",
    "store::shared_memory::arena",
    "store::shared_memory::slot",
    "store::shared_memory::ring",
    "store::shared_memory::table",
    "store::shared_memory::header",
    "store::shared_memory::clock",
    "store::shared_memory::bucket",
    "store::shared_memory::in_place",
    "store::shared_memory::keeper",
    "store::shared_memory::list",
    "store::shared_memory::settings",
    "store::shared_memory::url",
    "store::shared_memory::progress",
    "store::shared_memory::job",
    "store::shared_memory::helper",
    "store::shared_memory::mapped",
    "store::shared_memory::counter",
    "store::shared_memory::store",
    "store::shared_memory::builder",
    "store::shared_memory::trial",
    "store::shared_memory",
    "store::sqlite::failure",
    "store::sqlite::packed",
    "store::sqlite::link",
    "store::sqlite::schema",
    "store::sqlite::form",
    "store::sqlite::chunks",
    "store::sqlite::log",
    "store::sqlite::in_place",
    "store::sqlite::bucket",
    "store::sqlite::list",
    "store::sqlite::buckets",
    "store::sqlite::sweep",
    "store::sqlite::file_system",
    "store::sqlite::place",
    "store::sqlite::opened",
    "store::sqlite::transaction",
    "store::sqlite::job",
    "store::sqlite::bell",
    "store::sqlite::crowd",
    "store::sqlite::queue",
    "store::sqlite::file",
    "store::sqlite::helper",
    "store::sqlite::files",
    "store::sqlite::awaited",
    "store::sqlite::store",
    "store::sqlite::url",
    "store::sqlite::builder",
    "store::sqlite::tests",
    "store::sqlite::tests::model",
    "store::sqlite::tests::time",
    "store::sqlite",
    "store::open",
    "store",
    "source",
    "permit",
    "ruling",
    "decision",
    "route",
    "guard::policy",
    "guard::breaker",
    "guard::watched",
    "guard::limited",
    "guard::ask",
    "guard::call",
    "guard::outage",
    "guard::guarded",
    "guard",
    "waiting::gate",
    "waiting::forecast",
    "waiting::claim",
    "waiting::entry",
    "waiting::exchange",
    "waiting::queue",
    "waiting::waiter",
    "waiting::answers",
    "waiting::denials",
    "waiting::line",
    "waiting::directory",
    "waiting::server",
    "waiting::replies",
    "waiting::returns",
    "waiting::changes",
    "waiting::ticket",
    "waiting::room",
    "waiting",
    "limiter::answer",
    "limiter::shortcut",
    "limiter::core",
    "limiter::manager",
    "limiter::reservation",
    "limiter::admission",
    "limiter::request",
    "limiter::bucket",
    "limiter::facade",
    "limiter::manage",
    "limiter::control",
    "limiter::builder",
    "limiter",
    "conformance",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The module of a file, `timer::system` for `src/timer/system.rs`.
fn module_of(file: &Path) -> String {
    let path = file.strip_prefix(source()).unwrap().with_extension("");
    let parts: Vec<_> = path.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != "mod").collect();
    parts.join("::")
}

/// The place of the longest module in the list that begins this path.
fn layer_of(path: &str) -> Option<usize> {
    let is_within = |module: &str| path == module || path.starts_with(&format!("{module}::"));
    let modules = LAYERS.iter().enumerate().filter(|(_, module)| is_within(module));
    modules.max_by_key(|(_, module)| module.len()).map(|(place, _)| place)
}

/// A file without its comments and its tests.
fn code(text: &str) -> String {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    code.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned()
}

/// What follows each `crate::` in the code of a file, up to the first thing that is no module; groups are taken apart.
fn imports(text: &str) -> Vec<String> {
    let code = code(text);
    let mut imports = Vec::new();
    // A macro's `$crate` is where it is used, not where it stands.
    for (at, _) in code.match_indices("crate::").filter(|(at, _)| !code[..*at].ends_with('$')) {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let group = group.split('}').next().unwrap_or_default();
            imports.extend(group.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()));
        } else {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
            imports.push(rest[..end].trim_end_matches(':').to_owned());
        }
    }
    imports
}

#[test]
fn modules_import_only_what_stands_above_them() {
    let mut found = Vec::new();
    files(&source(), &mut found);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in &found {
        let module = module_of(file);
        if module == "lib" {
            continue;
        }
        let Some(own) = layer_of(&module) else {
            wrong.push(format!("{module} has no place in LAYERS"));
            continue;
        };
        let text = fs::read_to_string(file).unwrap();
        if code(&text).lines().any(|line| line.trim_start().starts_with("use super::")) {
            wrong.push(format!("{module} imports by way of its parent, which hides where it leads; write crate::"));
        }
        for import in imports(&text) {
            seen += 1;
            let Some(layer) = layer_of(&import) else {
                wrong.push(format!("{module} imports crate::{import}, which has no place in LAYERS"));
                continue;
            };
            let is_own_folder = LAYERS[own] == LAYERS[layer];
            if layer >= own && !is_own_folder {
                wrong.push(format!("{module} imports crate::{import}, which stands below it"));
            }
        }
    }
    assert!(seen > 100, "only {seen} imports were found: the test does not see the code");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_of_the_list_exists() {
    let mut found = Vec::new();
    files(&source(), &mut found);
    let modules: Vec<String> = found.iter().map(|file| module_of(file)).collect();
    for module in LAYERS {
        assert!(modules.iter().any(|found| found == module), "{module} stands in LAYERS and nowhere else");
    }
}

#[test]
fn an_upward_import_is_seen() {
    let text = "use crate::store::{Store, Batch};\nuse crate::{limiter, rate};\n// use crate::nothing;\nlet x = crate::time::Timestamp::ZERO;";
    assert_eq!(imports(text), ["store", "limiter", "rate", "time::Timestamp::ZERO"]);
    assert!(layer_of("store::Store") < layer_of("limiter"));
    assert!(layer_of("time::Timestamp") < layer_of("timer::system::SystemTimer"));
    assert_eq!(layer_of("nothing"), None);
}

#[test]
fn files_stay_short() {
    let mut found = Vec::new();
    files(&source(), &mut found);
    for file in found {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 300, "{} has {lines} lines", file.display());
    }
}
