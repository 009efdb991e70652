//! The schedule alone: what it lets happen, in any order in which threads may finish.

#![allow(clippy::print_stdout, reason = "random tests print their seed")]

use kernels::selftest::Random;

use super::*;

fn bounds(host: usize, device: usize) -> Bounds {
    Bounds {
        host,
        host_ahead: host / 4,
        device,
        device_ahead: device / 2,
        device_short: device,
    }
}

fn at(next: Option<Next<usize>>) -> Option<(usize, usize)> {
    next.map(|next| match next {
        Next::Fetch { at } | Next::Decode { at, .. } => (at.scan, at.partition),
    })
}

#[test]
fn the_oldest_goes_on_and_the_next_scan_is_read_ahead() {
    let mut schedule: Schedule<usize, usize> = Schedule::new(2, bounds(100, 100));
    schedule.opened(1, vec![20, 20], None);
    assert_eq!(at(schedule.next()), Some((1, 0)), "the first is not opened yet");
    schedule.opened(0, vec![200, 10, 200], None);
    assert_eq!(at(schedule.next()), Some((0, 0)), "the oldest, however large");
    assert_eq!(at(schedule.next()), None, "no room, and none for what is behind");
    let oldest = At {
        scan: 0,
        partition: 0,
        epoch: 0,
    };
    assert_eq!(schedule.fetched(oldest, 0, 500), None);
    assert_eq!(at(schedule.next()), Some((0, 0)));
    schedule.placed(oldest);
    assert_eq!(schedule.decoded(oldest, 0, false), None);
    assert!(schedule.begin(0) && !schedule.begin(0));
    assert_eq!(schedule.take(0, 0), Some(0));
    assert_eq!(at(schedule.next()), Some((0, 1)));
    schedule.end(0);
    assert_eq!(at(schedule.next()), Some((1, 1)), "it is current now");
    assert_eq!(schedule.decoded(oldest, 0, false), Some(0), "nobody wants it");
}

#[test]
fn what_was_decoded_ahead_is_let_go_and_read_again() {
    let mut schedule: Schedule<usize, usize> = Schedule::new(2, bounds(1000, 1000));
    schedule.opened(0, vec![], None);
    schedule.opened(1, vec![10, 10], None);
    assert!(schedule.begin(0));
    let first = At {
        scan: 1,
        partition: 0,
        epoch: 0,
    };
    assert_eq!(at(schedule.next()), Some((1, 0)));
    schedule.fetched(first, 7, 400);
    assert!(matches!(schedule.next(), Some(Next::Decode { item: 7, .. })));
    schedule.placed(first);
    assert!(schedule.let_go(1000).is_empty(), "there is enough");
    assert_eq!(schedule.let_go(999).len(), 1);
    assert_eq!(schedule.decoded(first, 1, false), Some(1), "too late");
    assert_eq!(at(schedule.next()), Some((1, 0)), "from the beginning");
    let again = At { epoch: 1, ..first };
    schedule.fetched(again, 7, 400);
    assert_eq!(
        at(schedule.next()),
        Some((1, 1)),
        "nothing is decoded ahead any more"
    );
    schedule.end(0);
    assert!(matches!(schedule.next(), Some(Next::Decode { item: 7, .. })));
}

/// What threads of a simulated run do at one moment.
enum Doing {
    Fetch(At),
    Place(At, usize),
    Decode(At, usize),
}

#[test]
fn random_runs_end_in_order_and_within_bounds() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let (host, device) = (1 + random.below(60) as usize, 1 + random.below(60) as usize);
        let scans = 1 + random.below(5) as usize;
        let sizes: Vec<Vec<usize>> = (0..scans)
            .map(|_| {
                let partitions = random.below(8);
                (0..partitions).map(|_| random.below(30) as usize).collect()
            })
            .collect();
        let mut schedule: Schedule<usize, usize> = Schedule::new(scans, bounds(host, device));
        let mut unopened: Vec<usize> = (0..scans).collect();
        // Scans are not always taken in the order that was foreseen.
        let mut to_take: Vec<usize> = (0..scans).collect();
        if random.below(3) == 0 {
            to_take.reverse();
        }
        let mut doing: Vec<Doing> = Vec::new();
        let mut partition = 0;
        let mut steps = 0;
        while let Some(&scan) = to_take.first() {
            steps += 1;
            assert!(steps < 100_000, "seed {seed}: it does not end");
            if partition == 0 {
                schedule.begin(scan);
            }
            let mut progress = true;
            match random.below(4) {
                0 if !unopened.is_empty() => {
                    let opened = unopened.remove(random.below(unopened.len() as u64) as usize);
                    schedule.opened(opened, sizes[opened].clone(), None);
                }
                1 if !doing.is_empty() => {
                    let at = random.below(doing.len() as u64) as usize;
                    match doing.remove(at) {
                        Doing::Fetch(at) => {
                            schedule.fetched(at, at.partition, sizes[at.scan][at.partition] * 3);
                        }
                        Doing::Place(at, item) => {
                            schedule.placed(at);
                            doing.push(Doing::Decode(at, item));
                        }
                        Doing::Decode(at, item) => {
                            schedule.decoded(at, item * 10, false);
                        }
                    }
                }
                2 => match schedule.take(scan, partition) {
                    Some(item) => {
                        assert_eq!(item, partition * 10, "seed {seed}");
                        partition += 1;
                    }
                    None => progress = false,
                },
                _ if doing.len() < 3 => match schedule.next() {
                    Some(Next::Fetch { at }) => doing.push(Doing::Fetch(at)),
                    Some(Next::Decode { at, item, bytes }) => {
                        assert_eq!(item, at.partition);
                        assert_eq!(bytes, sizes[at.scan][at.partition] * 3);
                        doing.push(Doing::Place(at, item));
                    }
                    None => progress = false,
                },
                _ => {
                    schedule.let_go(random.below(2 * device as u64) as usize);
                }
            }
            if partition == sizes[scan].len() && !unopened.contains(&scan) {
                schedule.end(scan);
                to_take.remove(0);
                partition = 0;
            }
            for (index, line) in schedule.lines.iter().enumerate() {
                let of = |bytes: &[usize]| bytes.iter().sum::<usize>();
                assert_eq!(
                    line.host_held,
                    if line.is_ended {
                        0
                    } else {
                        of(&line.host_bytes[line.taken..line.begun.max(line.taken)])
                    },
                    "seed {seed}"
                );
                let held: usize = line.device_bytes.values().sum();
                assert_eq!(line.device_held, held, "seed {seed}");
                let oldest = line.device_bytes.get(&line.taken).copied().unwrap_or(0);
                assert!(
                    line.device_held <= device + oldest,
                    "seed {seed}: scan {index} holds {held}"
                );
            }
            let is_stuck = !progress && doing.is_empty() && unopened.is_empty();
            let waits = is_stuck && to_take.first() == Some(&scan);
            if waits && schedule.take(scan, partition).is_none() {
                let next = schedule.next();
                assert!(next.is_some(), "seed {seed}: nothing may go on");
                match next {
                    Some(Next::Fetch { at }) => doing.push(Doing::Fetch(at)),
                    Some(Next::Decode { at, item, .. }) => doing.push(Doing::Place(at, item)),
                    None => {}
                }
            } else if waits {
                partition += 1;
            }
        }
    }
    println!("seeds 0 to 299");
}

#[test]
fn a_scan_that_joins_may_make_smaller_waits_for_small_ones() {
    let mut schedule: Schedule<usize, usize> = Schedule::new(3, bounds(1000, 1000));
    schedule.opened(1, vec![100; 8], Some(vec![0]));
    schedule.opened(2, vec![10], None);
    assert_eq!(
        at(schedule.next()),
        Some((2, 0)),
        "what it waits for is not opened"
    );
    schedule.opened(0, vec![100], None);
    assert_eq!(at(schedule.next()), Some((0, 0)));
    assert_eq!(at(schedule.next()), None);
    assert_eq!(schedule.hold(1), 0);
    schedule.let_on(1, Some(vec![30, 40]));
    assert_eq!(at(schedule.next()), Some((1, 0)), "it is small itself now");
    assert_eq!(schedule.hold(1), 1);
    assert_eq!(at(schedule.next()), None, "it is held");
    schedule.let_on(1, None);
    assert_eq!(at(schedule.next()), Some((1, 1)));
}

#[test]
fn a_scan_does_not_wait_for_large_ones() {
    let mut schedule: Schedule<usize, usize> = Schedule::new(2, bounds(1000, 1000));
    schedule.opened(0, vec![101], None);
    schedule.opened(1, vec![100; 8], Some(vec![0]));
    assert_eq!(at(schedule.next()), Some((0, 0)));
    assert_eq!(at(schedule.next()), Some((1, 0)), "reading them takes long");
}
