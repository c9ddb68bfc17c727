//! The arithmetic of claims.

use super::*;

#[test]
fn a_claim_is_the_median_of_the_ratios_of_rounds() {
    let series = |rounds: [f64; 3]| Series::new("x", Unit::Nanoseconds, rounds.into());
    let (ours, base) = (series([1.0, 20.0, 3.0]), series([2.0, 40.0, 1.0]));
    assert_eq!(ours.over(&base), 0.5);
    assert_eq!(ours.print(ours.median()), "3.0ns");
    assert_eq!(ours.print(12_345.0), "12.3us");
}

#[test]
fn a_claim_may_be_net_or_against_a_number() {
    let series = |rounds: [f64; 3]| Series::new("x", Unit::Nanoseconds, rounds.into());
    let (ours, nothing) = (series([3.0, 5.0, 9.0]), series([1.0, 1.0, 3.0]));
    assert_eq!(ours.net_of(&nothing).rounds, [2.0, 4.0, 6.0]);
    assert_eq!(ours.over(&ours.target("ten", 10.0)), 0.5);
}

#[test]
fn a_quantile_is_one_of_the_values() {
    let mut values = (0..1_000).rev().map(f64::from).collect::<Vec<_>>();
    assert_eq!(quantile(&mut values, 0.99), 990.0);
    assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 3.0);
    assert!(quantile(&mut [], 0.5).is_nan());
}

#[test]
fn everybody_follows_everybody() {
    let mut order: Vec<_> = (0..4).collect();
    let mut pairs = [[0; 4]; 4];
    for round in 0..1_200 {
        random::shuffle(&mut order, round);
        order.windows(2).for_each(|pair| pairs[pair[0]][pair[1]] += 1);
    }
    // Each of 12 pairs is expected 300 times.
    let others = (0..4).flat_map(|a| (0..4).map(move |b| (a, b))).filter(|(a, b)| a != b);
    assert!(others.into_iter().all(|(a, b)| (220..380).contains(&pairs[a][b])), "{pairs:?}");
}

#[test]
fn everybody_has_a_turn_in_every_round() {
    let (mut a, mut b) = (0.0, 0.0);
    let count = |n: &mut f64| {
        *n += 1.0;
        *n
    };
    let contestants = [Contestant::new("a", || count(&mut a)), Contestant::new("b", || count(&mut b))];
    let [a, b] = interleave("turns", Unit::PerSecond, 3, contestants);
    assert_eq!((a.rounds, b.rounds), (vec![2.0, 3.0, 4.0], vec![2.0, 3.0, 4.0]));
}
