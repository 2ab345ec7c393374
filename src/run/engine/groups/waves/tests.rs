use proptest::prelude::*;
use serde_json::Value;

use super::*;

const PAUSE: Duration = Duration::from_secs(30);

fn pick(index: u32, rank: u32) -> Pick {
    Pick { index, rank, label: format!("p{index}"), place: Value::Null }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Asks, and tells the waves that it was asked.
fn asks(waves: &mut Waves, now: Duration) -> Vec<Ask> {
    let Next::Ask(asks) = waves.next(now) else { panic!("{:?}", waves.next(now)) };
    for ask in &asks {
        waves.asked(ask.wave, &ask.pick, &ask.seats);
    }
    asks
}

fn shape(asks: &[Ask]) -> Vec<(u32, u32, Vec<u32>)> {
    asks.iter().map(|ask| (ask.wave, ask.pick.index, ask.seats.iter().map(|seat| seat.index).collect())).collect()
}

#[test]
fn names_are_spread_over_the_picks_of_the_lowest_rank() {
    let mut waves = Waves::new(5, vec![pick(0, 0), pick(1, 0), pick(2, 1)], PAUSE);
    let first = asks(&mut waves, at(0));
    assert_eq!(shape(&first), [(1, 0, vec![0, 1, 2]), (1, 1, vec![3, 4])]);
    assert_eq!(waves.next(at(0)), Next::Complete, "what is asked for is not missing");
    for ask in &first {
        waves.answered(&ask.pick, &ask.seats, &Answer::Launched(ask.seats.len()), at(1));
    }
    assert_eq!(waves.next(at(1)), Next::Complete);
}

#[test]
fn a_pick_that_gives_less_pauses_and_the_rest_goes_to_its_neighbour_then_to_the_next_rank() {
    let mut waves = Waves::new(4, vec![pick(0, 0), pick(1, 0), pick(2, 1)], PAUSE);
    let first = asks(&mut waves, at(0));
    waves.answered(&first[0].pick, &first[0].seats, &Answer::Launched(1), at(1));
    // The neighbour is still being asked: its answer counts first.
    assert_eq!(waves.next(at(1)), Next::Wait(None));
    waves.answered(&first[1].pick, &first[1].seats, &Answer::Launched(2), at(2));
    let second = asks(&mut waves, at(2));
    assert_eq!(shape(&second), [(2, 1, vec![1])]);
    waves.answered(&second[0].pick, &second[0].seats, &Answer::Later("none".into()), at(3));
    let third = asks(&mut waves, at(3));
    assert_eq!(shape(&third), [(3, 2, vec![1])]);
    waves.answered(&third[0].pick, &third[0].seats, &Answer::Never("unsupported".into()), at(4));
    assert_eq!(waves.next(at(4)), Next::Wait(Some(at(31))));
    assert_eq!(shape(&asks(&mut waves, at(31))), [(4, 0, vec![1])], "a second visit is another wave");
    let told: Vec<Option<&str>> = waves.refusals().iter().map(|(_, why)| *why).collect();
    assert_eq!(told, [Some("gave 1 of 2"), Some("none"), Some("unsupported")]);
}

#[test]
fn large_groups_are_asked_for_in_several_waves_at_once() {
    let mut waves = Waves::new(350, vec![pick(0, 0), pick(1, 0)], PAUSE);
    let sizes: Vec<_> = asks(&mut waves, at(0)).iter().map(|a| (a.wave, a.pick.index, a.seats.len())).collect();
    assert_eq!(sizes, [(1, 0, 100), (1, 1, 100), (2, 0, 75), (2, 1, 75)]);
}

#[test]
fn doubt_keeps_its_names_and_its_pick_to_itself() {
    let mut waves = Waves::new(2, vec![pick(0, 0), pick(1, 0), pick(2, 1)], PAUSE);
    let first = asks(&mut waves, at(0));
    waves.doubted(&first[0].pick);
    waves.answered(&first[1].pick, &first[1].seats, &Answer::Never("no".into()), at(1));
    let second = asks(&mut waves, at(1));
    assert_eq!(shape(&second), [(2, 2, vec![1])], "others are not held up");
    waves.answered(&second[0].pick, &second[0].seats, &Answer::Launched(1), at(2));
    waves.answered(&first[0].pick, &first[0].seats, &Answer::Unknown("timeout".into()), at(3));
    assert_eq!(waves.next(at(3)), Next::Complete, "a name that may have a machine is not asked for again");
}

#[test]
fn what_died_or_is_over_comes_back_as_another_machine() {
    let mut waves = Waves::new(1, vec![pick(0, 0), pick(1, 1)], PAUSE);
    let first = asks(&mut waves, at(0));
    waves.answered(&first[0].pick, &first[0].seats, &Answer::Over("terminated".into()), at(1));
    let second = asks(&mut waves, at(1));
    assert_eq!((second[0].wave, second[0].seats[0].incarnation), (2, 2));
    waves.answered(&second[0].pick, &second[0].seats, &Answer::Launched(1), at(2));
    waves.died(Seat { index: 0, incarnation: 1 }, "an old one", at(2));
    assert_eq!(waves.next(at(2)), Next::Complete);
    waves.died(second[0].seats[0], "spot", at(3));
    let third = asks(&mut waves, at(3));
    assert_eq!((third[0].pick.index, third[0].seats[0].incarnation), (1, 3), "not at once from the same place");
    waves.answered(&third[0].pick, &third[0].seats, &Answer::Launched(1), at(4));
    waves.give_up(third[0].seats[0]);
    assert_eq!(waves.next(at(100)), Next::Complete);
}

#[test]
fn an_impossible_order_ends_the_asking() {
    let mut waves = Waves::new(2, vec![pick(0, 0), pick(1, 0)], PAUSE);
    let first = asks(&mut waves, at(0));
    waves.answered(&first[0].pick, &first[0].seats, &Answer::Impossible("not permitted".into()), at(1));
    assert_eq!(waves.next(at(1)), Next::Wait(None), "the other one is still being asked");
    waves.answered(&first[1].pick, &first[1].seats, &Answer::Launched(1), at(1));
    assert_eq!(waves.next(at(1000)), Next::Exhausted);
}

#[test]
fn a_group_without_picks_is_exhausted() {
    assert_eq!(Waves::new(1, Vec::new(), PAUSE).next(at(0)), Next::Exhausted);
}

/// A cloud's moods, drawn: what becomes of the next ask, and how many machines then die.
#[derive(Clone, Debug)]
enum Mood {
    All,
    Some(usize),
    Later,
    Never,
    Over,
    Dies,
    Doubt,
}

fn moods() -> impl Strategy<Value = Vec<Mood>> {
    let mood = prop_oneof![
        Just(Mood::All),
        (0_usize..4).prop_map(Mood::Some),
        Just(Mood::Later),
        Just(Mood::Never),
        Just(Mood::Over),
        Just(Mood::Dies),
        Just(Mood::Doubt),
    ];
    prop::collection::vec(mood, 0..40)
}

proptest! {
    /// Whatever the cloud does: no name has two machines at once, no key is used twice, there are never more machines than
    /// names; when the cloud gives all that is asked for, the group is complete; and the same course gives the same asks.
    #[test]
    fn never_two_machines_for_a_name(
        count in 1_u32..9,
        ranks in prop::collection::vec(0_u32..3, 1..5),
        moods in moods(),
        closes_last in any::<bool>(),
    ) {
        let picks: Vec<Pick> = (0..).zip(&ranks).map(|(index, rank)| pick(index, *rank)).collect();
        let mut waves = Waves::new(count, picks.clone(), PAUSE);
        let mut twin = Waves::new(count, picks, PAUSE);
        let mut alive: BTreeMap<u32, u32> = BTreeMap::new();
        let mut keys = std::collections::BTreeSet::new();
        let mut in_flight: Vec<Ask> = Vec::new();
        let mut now = Duration::ZERO;
        let mut moods = moods.into_iter();
        let mut steps = 0;
        loop {
            steps += 1;
            prop_assert!(steps < 500, "it ends");
            now += Duration::from_millis(10);
            let next = waves.next(now);
            prop_assert_eq!(&next, &twin.next(now));
            match next {
                Next::Ask(asks) => for ask in asks {
                    prop_assert!(keys.insert((ask.wave, ask.pick.index)), "a key is used once");
                    prop_assert!(!ask.seats.is_empty() && ask.seats.len() <= LARGEST_ORDER);
                    for seat in &ask.seats {
                        prop_assert!(!alive.contains_key(&seat.index), "it has a machine");
                        prop_assert!(in_flight.iter().all(|other| other.seats.iter().all(|s| s.index != seat.index)));
                    }
                    waves.asked(ask.wave, &ask.pick, &ask.seats);
                    twin.asked(ask.wave, &ask.pick, &ask.seats);
                    in_flight.push(ask);
                },
                Next::Wait(Some(until)) if in_flight.is_empty() => now = until,
                Next::Wait(until) => prop_assert!(until.is_some() || !in_flight.is_empty(), "nobody waits for nothing"),
                Next::Complete | Next::Exhausted if in_flight.is_empty() => break,
                Next::Complete | Next::Exhausted => {}
            }
            let Some(ask) = in_flight.pop() else { continue };
            let mood = moods.next().unwrap_or(Mood::All);
            let answer = match &mood {
                Mood::All | Mood::Dies => Answer::Launched(ask.seats.len()),
                Mood::Some(given) => Answer::Launched((*given).min(ask.seats.len())),
                Mood::Never if closes_last => Answer::Never("never".into()),
                Mood::Later | Mood::Never => Answer::Later("later".into()),
                Mood::Over => Answer::Over("over".into()),
                Mood::Doubt => {
                    waves.doubted(&ask.pick);
                    twin.doubted(&ask.pick);
                    in_flight.insert(0, ask);
                    continue;
                }
            };
            waves.answered(&ask.pick, &ask.seats, &answer, now);
            twin.answered(&ask.pick, &ask.seats, &answer, now);
            if let Answer::Launched(given) = answer {
                alive.extend(ask.seats[..given].iter().map(|seat| (seat.index, seat.incarnation)));
            }
            prop_assert!(alive.len() <= count as usize);
            if matches!(mood, Mood::Dies) {
                let seat = ask.seats[0];
                alive.remove(&seat.index);
                waves.died(seat, "gone", now);
                twin.died(seat, "gone", now);
            }
        }
        if waves.next(now) == Next::Complete {
            prop_assert_eq!(alive.len(), count as usize);
        } else {
            prop_assert!(closes_last, "only a definite never exhausts the picks");
        }
    }
}
