//! What the check of all records finds in a store with one fault: every record removed, every record changed, records
//! added that belong to nothing or contradict the others.

use crate::world::{World, arn};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use stepwell_asl::{Status, Timestamp};
use stepwell_store::{
    Backend, Batch, Changes, CommitSeq, ExecutionId, Fatal, KeyRange, MemoryBackend, ModuleAliasRecord,
    ModuleContent, ModuleRecord, ModuleSettings, ModuleVersionRecord, Page, ProblemKind, RecordCheck,
    SecretRecord, Space, Store, StoreError, Versioned, check_records,
};

/// One record: space, key, value.
type Record = (u8, Vec<u8>, Bytes);

/// The spaces of executions, and of everything else.
const SPACES: &[u8; 15] = b"njgicpqtrmdwvak";

async fn records(backend: &MemoryBackend) -> Vec<Record> {
    let mut records = Vec::new();
    for space in SPACES {
        let mut next = Some(KeyRange::all());
        while let Some(range) = next {
            let page = backend.scan(Space::new(*space), range, false, 1_000).await.unwrap();
            records.extend(page.items.into_iter().map(|(key, value)| (*space, key.to_vec(), value)));
            next = page.next;
        }
    }
    records
}

async fn check(backend: &MemoryBackend) -> RecordCheck {
    check_records(Arc::new(backend.clone()), &mut |_| {}).await.unwrap()
}

/// Some of the records, of every space.
async fn sample(backend: &MemoryBackend) -> Vec<Record> {
    let records = records(backend).await;
    let of = |space: u8| records.iter().filter(move |record| record.0 == space);
    SPACES.iter().flat_map(|space| of(*space).step_by(of(*space).count() / 30 + 1).cloned()).collect()
}

/// What a check finds with a value in the place of another, or with none.
async fn with(backend: &MemoryBackend, space: u8, key: &[u8], value: Option<Bytes>) -> Found {
    let before = backend.get(Space::new(space), key).await.unwrap().map(|stored| stored.value);
    put(backend, space, key, value).await;
    let found = check(backend).await;
    put(backend, space, key, before).await;
    Found {
        kinds: found.examples.iter().map(|problem| (problem.space.byte(), problem.kind)).collect(),
        problems: found.problems,
        check: found,
    }
}

async fn put(backend: &MemoryBackend, space: u8, key: &[u8], value: Option<Bytes>) {
    let mut batch = Batch::new();
    match value {
        Some(value) => batch.put(Space::new(space), key.to_vec(), value),
        None => batch.delete(Space::new(space), key.to_vec()),
    };
    backend.commit(batch).await.unwrap();
}

struct Found {
    /// Kinds of problems, by the space that shows them.
    kinds: BTreeSet<(u8, ProblemKind)>,
    problems: u64,
    check: RecordCheck,
}

impl Found {
    fn is(&self, expected: &[(u8, ProblemKind)]) -> bool {
        self.kinds == expected.iter().copied().collect()
    }
}

/// A store with executions of every kind: open ones and parked ones with checkpoints in parts, closed ones with and
/// without leftovers, and one that is half removed; modules, aliases and a secret beside.
async fn world() -> World {
    // Eager: every execution has checkpoints.
    let mut world = World::new(3).await;
    let store = Store::new(Arc::new(world.inner.clone()));
    let mut removing = None;
    while removing.is_none() {
        world.start().await;
        world.go_on().await;
        world.now.0 += 1_000;
        for closed in store.expired(None, Timestamp(i64::MAX), 100).await.unwrap() {
            if removing.is_none() && world.begun[&closed.id].contains(":m2:") {
                removing = (store.remove(&[closed]).await.unwrap().executions == 0).then_some(closed);
            }
        }
    }
    // Everything else goes, to begin with few.
    for id in world.live.keys().copied().collect::<Vec<_>>() {
        world.stop(id).await;
    }
    for closed in store.expired(None, Timestamp(i64::MAX), 100).await.unwrap() {
        let goes = removing.is_some_and(|removing| removing != closed);
        while goes && store.remove(&[closed]).await.unwrap().executions == 0 {}
    }
    while store.leftovers(1).await.unwrap().is_empty() {
        world.start().await;
        world.go_on().await;
    }
    world.park().await;
    for _ in 0..3 {
        world.start().await;
    }
    others(&store).await;
    let found = check(&world.inner).await;
    assert!(found.is_sound() && found.half_removed == 1, "{found:#?}");
    world
}

async fn others(store: &Store) {
    let content =
        ModuleContent { sha256: "0".repeat(64), kind: "component".to_owned(), ..ModuleContent::default() };
    let module = ModuleRecord {
        name: "m".to_owned(),
        latest: content.clone(),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        next_version: 2,
        revision_id: "r".to_owned(),
        settings: ModuleSettings::default(),
    };
    let version = ModuleVersionRecord {
        name: "m".to_owned(),
        number: 1,
        content,
        settings: ModuleSettings::default(),
        created_at: Timestamp(0),
        revision_id: "r".to_owned(),
    };
    let alias = ModuleAliasRecord {
        name: "m".to_owned(),
        alias: "live".to_owned(),
        version: Some(1),
        weighted: None,
        description: String::new(),
        revision_id: "r".to_owned(),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    };
    let mut changes = Changes::new();
    changes.module(&module, None).unwrap();
    changes.module_version(&version).unwrap();
    changes.module_alias(&alias).unwrap();
    store.commit(changes).await.unwrap();
    let secret = SecretRecord {
        name: "s".to_owned(),
        scheme: "x".to_owned(),
        nonce: vec![1],
        sealed: vec![2],
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    };
    store.put_secret(&secret).await.unwrap();
}

/// The execution that a key of a space is of.
fn owner(space: u8, key: &[u8]) -> Option<ExecutionId> {
    let id = match space {
        b'j' | b'g' | b'c' | b'p' | b'q' => &key[..16],
        b'i' | b't' | b'r' => &key[key.len() - 16..],
        _ => return None,
    };
    Some(ExecutionId(id.try_into().unwrap()))
}

#[tokio::test]
async fn every_record_that_is_missing_is_missed() {
    use ProblemKind::{Checkpoint, Closed as NotClosed, Definition, List, Name, Orphan, Wake};
    let world = world().await;
    let backend = &world.inner;
    let mut seen = BTreeSet::new();
    for (space, key, _) in sample(backend).await {
        let found = with(backend, space, &key, None).await;
        let standing = match owner(space, &key) {
            Some(id) => world.store.standing(id).await.unwrap(),
            None => None,
        };
        let exact: &[(u8, ProblemKind)] = match space {
            b'n' => &[(b'n', Name)],
            b'i' => {
                // A call for one that is listed nowhere is for nobody.
                let parked: &[_] = &[(b'j', List), (b't', Wake)];
                if key[0] == b'p' { parked } else { &[(b'j', List)] }
            }
            b't' => &[(b't', Wake)],
            // What was half removed is left alone without it.
            b'r' if standing.is_none() => continue,
            b'r' => &[(b'r', NotClosed)],
            b'd' => &[(b'd', Definition)],
            b'w' => &[(b'v', Orphan), (b'a', Orphan)],
            b'j' => {
                // Nothing tells that a running execution had gone on, nor what of a removed one was left.
                let behind = KeyRange::prefix(key[..16].to_vec()).after(&key);
                let last = backend.scan(Space::new(space), behind, false, 1).await.unwrap().items.is_empty();
                let last = standing.is_none_or(|standing| last && standing.is_running());
                assert!(last || !found.check.is_sound(), "{key:?}");
                seen.extend(found.kinds);
                continue;
            }
            b'c' | b'p' | b'q' => {
                // A checkpoint is never needed, and of its parts those that it leads to.
                assert!(found.kinds.iter().all(|kind| *kind == (b'c', Checkpoint)), "{:?}", found.kinds);
                seen.extend(found.kinds);
                continue;
            }
            // Nothing tells how many there were.
            b'm' | b'g' | b'v' | b'a' | b'k' => &[],
            _ => unreachable!(),
        };
        assert!(found.is(exact), "{} {key:?}: {:#?}", char::from(space), found.check.examples);
        seen.extend(found.kinds);
    }
    for kind in [(b'j', ProblemKind::Journal), (b'c', Checkpoint), (b't', Wake), (b'r', NotClosed)] {
        assert!(seen.contains(&kind), "{kind:?} of {seen:?}");
    }
}

#[tokio::test]
async fn every_record_that_cannot_be_read_is_named() {
    let world = world().await;
    let backend = &world.inner;
    for (space, key, _) in sample(backend).await {
        // No MessagePack value of any type that is stored.
        let found = with(backend, space, &key, Some(Bytes::from_static(b"\xc1"))).await;
        let expected = match space {
            b't' => ProblemKind::Wake,
            b'd' => ProblemKind::Definition,
            b'c' => ProblemKind::Checkpoint,
            _ => ProblemKind::Unreadable,
        };
        // Beside it, a checkpoint whose part it is, and a list that its journal contradicts.
        assert!(found.kinds.contains(&(space, expected)), "{} {key:?}: {:?}", char::from(space), found.check);
        if space != b'p' {
            assert!(found.problems <= 2, "{} {key:?}: {:#?}", char::from(space), found.check.examples);
        }
    }
}

#[tokio::test]
async fn records_that_belong_to_nothing_or_contradict_others_are_named() {
    use ProblemKind::{
        Checkpoint, Closed as NotClosed, Journal, List, Misplaced, Name, Orphan, UnknownSpace, Unreadable,
        Wake,
    };
    let world = world().await;
    let backend = &world.inner;
    let nobody = [0xEE; 16];
    for (space, key, value) in sample(backend).await {
        let mut key = key;
        match space {
            b'j' | b'g' | b'c' | b'p' | b'q' => key[..16].copy_from_slice(&nobody),
            b'i' | b't' | b'r' => {
                let at = key.len() - 16;
                key[at..].copy_from_slice(&nobody);
            }
            b'd' => continue,
            b'n' => key.extend_from_slice(b"-x"),
            b'm' | b'w' | b'v' | b'a' | b'k' => key.push(b'x'),
            _ => unreachable!(),
        }
        let found = with(backend, space, &key, Some(value)).await;
        let expected = match space {
            b'j' => found.kinds.iter().next().map_or(Unreadable, |kind| kind.1),
            b'g' | b'i' | b't' | b'r' | b'c' | b'p' | b'q' => Orphan,
            b'n' => Name,
            _ => Misplaced,
        };
        let named = found.kinds.contains(&(space, expected));
        // A first record of a journal makes an execution, which then has nothing of what it needs.
        let journal = space == b'j' && found.kinds.iter().any(|kind| [Journal, Name, List].contains(&kind.1));
        assert!(named || journal, "{} {key:?}: {:?}", char::from(space), found.kinds);
    }
    let executions = executions(&world).await;
    let (running, running_at) = executions.iter().find(|(_, stopped)| stopped.is_none()).copied().unwrap();
    let (closed, at) = executions.iter().find(|(_, stopped)| stopped.is_some()).copied().unwrap();
    assert_eq!(running_at, None);
    let none = Bytes::new();
    let early = [&(1_u64 << 63).to_be_bytes(), running.0.as_slice()].concat();
    assert!(with(backend, b'r', &early, Some(none.clone())).await.is(&[(b'r', NotClosed)]));
    let early = [&(1_u64 << 63).to_be_bytes(), closed.0.as_slice()].concat();
    assert_ne!(at, Some(Timestamp(0)));
    assert!(with(backend, b'r', &early, Some(none.clone())).await.is(&[(b'r', NotClosed)]));
    assert!(with(backend, b't', &early, Some(none.clone())).await.is(&[(b't', Wake)]));
    assert!(with(backend, b'q', &running.0, Some(none.clone())).await.is(&[(b'q', Checkpoint)]));
    let far = [running.0.as_slice(), &u64::MAX.to_be_bytes()].concat();
    assert!(with(backend, b'j', &far, Some(none.clone())).await.is(&[(b'j', Unreadable)]));
    assert!(with(backend, b'!', b"key", Some(none)).await.is(&[(b'!', UnknownSpace)]));
    other_names(&world, running, closed).await;
}

/// Names and lists that say of an execution what is true of another.
async fn other_names(world: &World, running: ExecutionId, closed: ExecutionId) {
    use ProblemKind::{List, Name};
    let backend = &world.inner;
    let name = world.begun[&running].as_bytes();
    let found = with(backend, b'n', name, Some(Bytes::copy_from_slice(&closed.0))).await;
    assert!(found.is(&[(b'n', Name)]) && found.problems == 2, "{:#?}", found.check.examples);
    let free = arn(0, 999);
    let found = with(backend, b'n', free.as_bytes(), Some(Bytes::copy_from_slice(&closed.0))).await;
    assert!(found.is(&[(b'n', Name)]), "{:#?}", found.check.examples);
    for (space, key, value) in records(backend).await {
        if space != b'i' {
            continue;
        }
        // In two lists at once, and in the list of another machine.
        let mut second = key.clone();
        second[0] = if key[0] == b'f' { b'a' } else { b'f' };
        assert!(with(backend, b'i', &second, Some(value.clone())).await.is(&[(b'j', List)]));
        let mut foreign = key.clone();
        foreign[1..17].copy_from_slice(&[9; 16]);
        assert!(with(backend, b'i', &foreign, Some(value.clone())).await.is(&[(b'i', List)]));
        // The entry of another execution.
        let other =
            records(backend).await.into_iter().find(|other| other.0 == b'i' && other.2 != value).unwrap();
        assert!(with(backend, b'i', &key, Some(other.2)).await.kinds.contains(&(b'i', List)));
    }
}

/// All executions, and when they ended.
async fn executions(world: &World) -> Vec<(ExecutionId, Option<Timestamp>)> {
    let mut executions = Vec::new();
    for id in world.begun.keys() {
        if let Some(standing) = world.store.standing(*id).await.unwrap() {
            assert_eq!(standing.status == Status::Running, standing.stopped_at.is_none());
            executions.push((*id, standing.stopped_at));
        }
    }
    executions
}

/// A store in which the checksums of some records are wrong.
struct Flipped {
    inner: MemoryBackend,
    damaged: BTreeSet<(Space, Vec<u8>)>,
}

impl Flipped {
    fn look(&self, space: Space, key: &[u8]) -> Result<(), StoreError> {
        if !self.damaged.contains(&(space, key.to_vec())) {
            return Ok(());
        }
        let key = format!("{:x}", Bytes::copy_from_slice(key));
        Err(StoreError::Corrupt { space, key, detail: "the checksum is wrong".to_owned() })
    }
}

#[async_trait::async_trait]
impl Backend for Flipped {
    async fn commit(&self, batch: Batch) -> Result<CommitSeq, StoreError> {
        self.inner.commit(batch).await
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Versioned>, StoreError> {
        self.look(space, key)?;
        self.inner.get(space, key).await
    }

    async fn scan(
        &self,
        space: Space,
        range: KeyRange,
        reverse: bool,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let page = self.inner.scan(space, range, reverse, limit).await?;
        page.items.iter().try_for_each(|(key, _)| self.look(space, key))?;
        Ok(page)
    }

    async fn delete_range(&self, space: Space, range: KeyRange, max: usize) -> Result<u64, StoreError> {
        self.inner.delete_range(space, range, max).await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn fatal(&self) -> Fatal {
        self.inner.fatal()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

#[tokio::test]
async fn behind_a_record_that_is_damaged_the_check_goes_on() {
    let world = world().await;
    let all = records(&world.inner).await;
    let sound = check(&world.inner).await;
    for (number, (space, key, _)) in all.iter().enumerate().step_by(23) {
        // Two at once, often neighbours.
        let (other, other_key, _) = &all[(number + 1) % all.len()];
        let damaged: BTreeSet<_> =
            [(Space::new(*space), key.clone()), (Space::new(*other), other_key.clone())].into();
        let backend = Arc::new(Flipped { inner: world.inner.clone(), damaged: damaged.clone() });
        let found = check_records(backend, &mut |_| {}).await.unwrap();
        let unreadable: BTreeSet<_> = found
            .examples
            .iter()
            .filter(|problem| problem.kind == ProblemKind::Unreadable)
            .map(|problem| (problem.space, problem.key.clone()))
            .collect();
        let expected: BTreeSet<_> = damaged
            .iter()
            .map(|(space, key)| (*space, format!("{:x}", Bytes::copy_from_slice(key))))
            .collect();
        assert_eq!(unreadable, expected, "{:#?}", found.examples);
        assert_eq!(found.records + 2, sound.records);
    }
}
