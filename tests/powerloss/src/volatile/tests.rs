//! Small traces with one outcome, and what random cuts may and may not show.

use super::*;
use crate::trace::{Change, End, SyncId};

const FILE: FileId = FileId(0);

fn create() -> Event {
    Event::Name(NameChange::Create("f".into(), FILE))
}

fn write(offset: u64, byte: u8, bytes: usize) -> Event {
    Event::File(FILE, Change::Write(offset, vec![byte; bytes].into()))
}

fn sync(number: u32, target: SyncTarget) -> [Event; 2] {
    [Event::SyncBegan(SyncId(number), target), Event::SyncEnded(SyncId(number))]
}

fn sync_file(number: u32) -> [Event; 2] {
    sync(number, SyncTarget::File(FILE))
}

fn sync_root(number: u32) -> [Event; 2] {
    sync(number, SyncTarget::Directory("".into()))
}

fn trace(events: impl IntoIterator<Item = Event>) -> Trace {
    Trace { initial: Image::default(), events: events.into_iter().collect(), end: End::Exited(0) }
}

fn cut(trace: &Trace, model: Model, survival: Survival, seed: u64) -> Option<Vec<u8>> {
    let cut = Cut { at: trace.events.len(), model, survival, sector_bytes: 512, seed };
    after(trace, &cut).unwrap().files.remove(&std::path::PathBuf::from("f"))
}

#[test]
fn a_file_needs_its_own_sync_and_strictly_its_directory_s() {
    let [began, ended] = sync_file(0);
    let unsynced = trace([create(), write(0, 1, 10)]);
    let half_synced = trace([create(), write(0, 1, 10), began.clone()]);
    let synced = trace([create(), write(0, 1, 10), began.clone(), ended.clone()]);
    let named = trace([create(), write(0, 1, 10), began, ended].into_iter().chain(sync_root(1)));
    let whole = Some(vec![1; 10]);
    for (trace, strict, journaled) in [
        (&unsynced, None, None),
        (&half_synced, None, None),
        (&synced, None, whole.clone()),
        (&named, whole.clone(), whole.clone()),
    ] {
        assert_eq!(cut(trace, Model::Strict, Survival::Nothing, 0), strict);
        assert_eq!(cut(trace, Model::Journaled, Survival::Nothing, 0), journaled);
        assert_eq!(cut(trace, Model::Strict, Survival::Everything, 0), whole);
    }
}

#[test]
fn a_write_that_returned_after_the_sync_began_is_not_covered() {
    let [began, ended] = sync_file(0);
    let events = [create(), began, write(0, 1, 10), ended].into_iter().chain(sync_root(1));
    assert_eq!(cut(&trace(events), Model::Strict, Survival::Nothing, 0), Some(Vec::new()));
}

#[test]
fn what_is_not_synced_survives_torn_and_reordered_and_nothing_else_appears() {
    let first = [create(), write(0, 1, 1024)].into_iter().chain(sync_file(0)).chain(sync_root(1));
    let trace = trace(first.chain([write(0, 2, 2048), write(512, 3, 512)]));
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..500 {
        let content = cut(&trace, Model::Strict, Survival::Some(50), seed).unwrap();
        assert!(content.len() == 1024 || content.len() == 2048, "{}", content.len());
        for sector in content.chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is written as a whole");
        }
        seen.insert(content.chunks(512).map(|sector| sector[0]).collect::<Vec<_>>());
    }
    // Old and new, each of the three states of the second sector, holes.
    for state in
        [&[1, 1][..], &[2, 1], &[1, 2], &[1, 3], &[2, 3], &[1, 1, 0, 0], &[2, 3, 2, 2], &[1, 3, 0, 2]]
    {
        assert!(seen.contains(state), "{state:?} never came");
    }
    assert!(seen.iter().all(|state| state[0] != 3), "the third write never touched the first sector");
}

#[test]
fn nothing_written_after_a_shortening_is_there_without_it() {
    let first = [create(), write(0, 1, 1024)].into_iter().chain(sync_file(0)).chain(sync_root(1));
    let resize = Event::File(FILE, Change::Resize(512));
    let trace = trace(first.chain([resize, write(512, 2, 256)]));
    let outcomes: std::collections::BTreeSet<_> = (0..200)
        .map(|seed| cut(&trace, Model::Strict, Survival::Some(50), seed).unwrap())
        .map(|content| (content.len(), content.get(512).copied()))
        .collect();
    // Untouched; shortened; grown again with and without the data.
    let expected = [(512, None), (768, Some(0)), (768, Some(2)), (1024, Some(1))];
    assert_eq!(outcomes, expected.into());
}

#[test]
fn a_rename_replaces_as_a_whole() {
    let other = FileId(1);
    let events = [create(), write(0, 1, 4)].into_iter().chain(sync_file(0)).chain(sync_root(1));
    let events = events.chain([
        Event::Name(NameChange::Create("g".into(), other)),
        Event::File(other, Change::Write(0, vec![2; 4].into())),
        Event::SyncBegan(SyncId(2), SyncTarget::File(other)),
        Event::SyncEnded(SyncId(2)),
        Event::Name(NameChange::Rename("g".into(), "f".into())),
    ]);
    let trace = trace(events);
    let mut seen = std::collections::BTreeSet::new();
    for (seed, model) in (0..200).flat_map(|seed| [(seed, Model::Strict), (seed, Model::Journaled)]) {
        let content = cut(&trace, model, Survival::Some(50), seed).unwrap();
        assert!(content == [1; 4] || content == [2; 4], "{content:?}");
        seen.insert(content);
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn the_same_seed_gives_the_same_directory() {
    let trace = trace([create(), write(0, 1, 4096), write(100, 2, 4096)]);
    for seed in 0..20 {
        let outcome = |seed| cut(&trace, Model::Strict, Survival::Some(60), seed);
        assert_eq!(outcome(seed), outcome(seed));
    }
}
