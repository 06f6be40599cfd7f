//! One process that runs steps.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use vug::{
    Bulk, Kind, ListenOptions, Node, Outcome, PutIfAbsent, Region, Subscription, Swap, Token,
    Waited,
};

use super::args::{self, blob, blobs, number, text};
use super::bytes;
use super::show;

/// A process's node, regions and subscriptions, and the tokens that were saved.
#[derive(Debug)]
pub struct Session {
    node: Node,
    regions: HashMap<String, Region>,
    subscriptions: HashMap<String, Subscription>,
    tokens: BTreeMap<String, Token>,
    /// Of this step: what to save.
    save: Option<String>,
}

impl Session {
    /// Joins the node in `home`.
    ///
    /// # Panics
    /// When the node cannot be opened.
    pub fn new(home: &Path) -> Self {
        let node = Node::open(home).expect("the node opens");
        let (regions, subscriptions) = Default::default();
        Self { node, regions, subscriptions, tokens: BTreeMap::new(), save: None }
    }

    /// Runs a step: `{"result": ...}`, or `{"error": code}`.
    ///
    /// # Panics
    /// When the step is not as the README says.
    pub fn run(&mut self, step: &Value) -> Value {
        self.save = step.get("save").map(|name| name.as_str().expect("a name").to_owned());
        match self.node_step(step) {
            Ok(result) => json!({ "result": result }),
            Err(error) => json!({ "error": error.code() }),
        }
    }

    /// The tokens that were saved, by name.
    pub fn saved(&self) -> Value {
        let words = |token: &Token| json!([token.version, token.origin, token.kind as u8]);
        self.tokens.iter().map(|(name, token)| (name.clone(), words(token))).collect()
    }

    /// Takes over the tokens that another process saved.
    ///
    /// # Panics
    /// When they are not what [`Session::saved`] gave.
    pub fn learn(&mut self, saved: &Value) {
        for (name, words) in saved.as_object().into_iter().flatten() {
            let word = |at: usize| words[at].as_u64().expect("a number");
            let kind = match word(2) {
                1 => Kind::Value,
                2 => Kind::Invalid,
                3 => Kind::LocalInvalid,
                _ => Kind::Tombstone,
            };
            let token = Token { version: word(0), origin: word(1) as u16, kind };
            self.tokens.insert(name.clone(), token);
        }
    }

    fn node_step(&mut self, step: &Value) -> vug::Result<Value> {
        let name = args::region(step);
        let region = match text(step, "op") {
            "create_region" => args::attributes(self.node.region(name), step).create(),
            "open_region" => args::attributes(self.node.region(name), step).open(),
            "open_or_create_region" => {
                args::attributes(self.node.region(name), step).open_or_create()
            }
            "remove_region" => return self.node.remove_region(name).map(|()| Value::Null),
            "regions" => return self.node.regions().map(|names| json!(names)),
            _ => return self.region_step(step),
        }?;
        self.regions.insert(name.to_owned(), region);
        Ok(Value::Null)
    }

    fn region_step(&mut self, step: &Value) -> vug::Result<Value> {
        let name = args::region(step);
        let opened = self.regions.get(name);
        let region = opened.unwrap_or_else(|| panic!("region {name} was never opened")).clone();
        let done = |done: vug::Result<()>| done.map(|()| Value::Null);
        match text(step, "op") {
            "close" => done(region.close()),
            "destroy_region" => done(region.destroy_region()),
            "local_destroy_region" => done(region.local_destroy_region()),
            "clear" => done(region.clear()),
            "local_clear" => done(region.local_clear()),
            "invalidate_region" => done(region.invalidate_region()),
            "local_invalidate_region" => done(region.local_invalidate_region()),
            "attributes" => Ok(show::attributes(&region.attributes())),
            "set_entry_ttl" => done(region.set_entry_ttl(args::expiry(&step["expiry"]))),
            "set_entry_idle" => done(region.set_entry_idle(args::expiry(&step["expiry"]))),
            "set_max_entries" => done(region.set_max_entries(number(step, "entries") as u64)),
            "sweep" => Ok(json!(region.sweep(usize::MAX)?.expired)),
            "len" => Ok(json!(region.len()?)),
            "keys" => keys(&region),
            "entries" => entries(&region),
            "max_value_len" => Ok(json!(region.max_value_len(number(step, "key_len") as usize))),
            "subscribe" => self.subscribe(&region, step),
            "events" => self.events(text(step, "of")),
            "get_all" => get_all(&region, &blobs(step, "keys")),
            "put_all" => {
                let bulk = region.put_all_with(&args::pairs(step, "entries"), &args::options(step));
                Ok(show::bulk(&bulk?, show::outcome))
            }
            "remove_all" => {
                let bulk: Bulk<Option<Outcome>> = region.remove_all(&blobs(step, "keys"))?;
                Ok(show::bulk(&bulk, |removed| json!(removed.is_some())))
            }
            _ => self.entry_step(&region, step, &blob(step, "key")),
        }
    }

    fn entry_step(&mut self, region: &Region, step: &Value, key: &[u8]) -> vug::Result<Value> {
        let value = || blob(step, "value");
        let options = args::options(step);
        match text(step, "op") {
            "put" => self.outcome(region.put_with(key, &value(), &options)?),
            "create" => self.outcome(region.create(key, &value())?),
            "create_invalid" => self.outcome(region.create_invalid(key)?),
            "replace" => self.perhaps(region.replace(key, &value())?),
            "swap_value" => {
                let (outcome, old) = region.swap_value(key, &value())?;
                self.note(Some(outcome.token));
                Ok(json!({ "created": outcome.created, "old": show::optional(old.as_deref()) }))
            }
            "destroy" => self.outcome(region.destroy(key)?),
            "local_destroy" => self.outcome(region.local_destroy(key)?),
            "remove" => self.perhaps(region.remove(key)?),
            "invalidate" => self.perhaps(region.invalidate(key)?),
            "local_invalidate" => self.perhaps(region.local_invalidate(key)?),
            "contains_key" => Ok(json!(region.contains_key(key)?)),
            "contains_value_for_key" => Ok(json!(region.contains_value_for_key(key)?)),
            "get" => get(region, key),
            "until_absent" => until_absent(region, key),
            "token" => {
                let token = region.token(key)?;
                self.note(token);
                Ok(show::kind(token))
            }
            "entry" => Ok(region.entry(key)?.as_ref().map_or(Value::Null, show::entry)),
            _ => self.atomic_step(region, step, key),
        }
    }

    fn atomic_step(&mut self, region: &Region, step: &Value, key: &[u8]) -> vug::Result<Value> {
        let options = args::options(step);
        match text(step, "op") {
            "put_if_absent" => {
                let put = region.put_if_absent_with(key, &blob(step, "value"), &options)?;
                self.note(Some(match &put {
                    PutIfAbsent::Created(outcome) => outcome.token,
                    PutIfAbsent::Present { token, .. } => *token,
                }));
                Ok(show::put_if_absent(&put))
            }
            "compare_and_swap" => {
                let expected = self.token(step, "token").expect("a saved token");
                self.swap(region.compare_and_swap(key, expected, &blob(step, "value"))?)
            }
            "remove_if" => {
                let expected = self.token(step, "token").expect("a saved token");
                self.swap(region.remove_if(key, expected)?)
            }
            "replace_if" => {
                let (expected, value) = (blob(step, "expected"), blob(step, "value"));
                self.swap(region.replace_if(key, &expected, &value)?)
            }
            "remove_if_value" => self.swap(region.remove_if_value(key, &blob(step, "expected"))?),
            "increment" => {
                Ok(json!(region.increment_with(key, number(step, "delta"), &options)?))
            }
            "wait_for_change" => {
                let since = self.token(step, "since");
                match region.wait_for_change(key, since, Some(Instant::now()))? {
                    Waited::Changed(token) => {
                        self.note(token);
                        Ok(json!({ "changed": show::kind(token) }))
                    }
                    Waited::TimedOut => Ok(json!("timeout")),
                }
            }
            other => panic!("`{other}` is no operation"),
        }
    }

    fn subscribe(&mut self, region: &Region, step: &Value) -> vug::Result<Value> {
        let flag = |name: &str| step[name] == json!(true);
        let prefix = step.get("prefix").map(|prefix| bytes::bytes(prefix).expect("bytes"));
        let options = ListenOptions::new()
            .prefix(prefix.unwrap_or_default())
            .content(flag("content"))
            .resynchronise(flag("resynchronise"));
        let subscription = region.subscribe_with(options);
        self.subscriptions.insert(text(step, "as").to_owned(), subscription);
        Ok(Value::Null)
    }

    fn events(&mut self, name: &str) -> vug::Result<Value> {
        let subscription = self.subscriptions.get_mut(name).expect("a subscription by this name");
        let mut told = Vec::new();
        while let Some(notice) = subscription.poll()? {
            told.push(show::notice(&notice));
        }
        Ok(json!(told))
    }

    fn token(&self, step: &Value, argument: &str) -> Option<Token> {
        let name = step.get(argument)?.as_str()?;
        Some(*self.tokens.get(name).unwrap_or_else(|| panic!("token {name} was never saved")))
    }

    fn note(&mut self, token: Option<Token>) {
        if let (Some(name), Some(token)) = (self.save.take(), token) {
            self.tokens.insert(name, token);
        }
    }

    fn outcome(&mut self, outcome: Outcome) -> vug::Result<Value> {
        self.note(Some(outcome.token));
        Ok(show::outcome(&outcome))
    }

    fn perhaps(&mut self, outcome: Option<Outcome>) -> vug::Result<Value> {
        self.note(outcome.map(|outcome| outcome.token));
        Ok(json!(outcome.is_some()))
    }

    fn swap(&mut self, swap: Swap) -> vug::Result<Value> {
        self.note(match swap {
            Swap::Swapped(outcome) => Some(outcome.token),
            Swap::Changed(found) => found,
        });
        Ok(show::swap(&swap))
    }
}

/// The value, by all ways to read one.
fn get(region: &Region, key: &[u8]) -> vug::Result<Value> {
    let value = region.get(key)?.map(|guard| guard.to_vec());
    let owned = region.get_owned(key)?.map(|guard| guard.to_vec());
    assert_eq!(value, owned, "get and get_owned");
    let mut copy = Vec::new();
    let copied = region.get_into(key, &mut copy)?.map(|_| copy);
    assert_eq!(value, copied, "get and get_into");
    let handle = region.handle(key)?;
    let held = handle.get()?.map(|guard| guard.to_vec());
    assert_eq!(value, held, "get and a handle");
    let many = region.get_all(&[key])?;
    assert_eq!(value, many[0], "get and get_all");
    Ok(show::optional(value.as_deref()))
}

/// Reads until there is no value any more.
fn until_absent(region: &Region, key: &[u8]) -> vug::Result<Value> {
    while region.get(key)?.is_some() {
        std::thread::yield_now();
    }
    Ok(Value::Null)
}

fn get_all(region: &Region, keys: &[Vec<u8>]) -> vug::Result<Value> {
    let values = region.get_all(keys)?;
    Ok(values.iter().map(|value| show::optional(value.as_deref())).collect())
}

/// As a set: sorted, each once.
fn keys(region: &Region) -> vug::Result<Value> {
    let mut keys = region.keys().collect::<vug::Result<Vec<_>>>()?;
    keys.sort();
    keys.dedup();
    Ok(keys.iter().map(|key| bytes::show(key)).collect())
}

fn entries(region: &Region) -> vug::Result<Value> {
    let mut entries = region.iter().collect::<vug::Result<Vec<_>>>()?;
    entries.sort_by(|one, other| one.key.cmp(&other.key));
    entries.dedup_by(|one, other| one.key == other.key);
    let pair = |entry: &vug::Entry| json!([bytes::show(&entry.key), bytes::show(&entry.value)]);
    Ok(entries.iter().map(pair).collect())
}
