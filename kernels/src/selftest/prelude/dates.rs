//! The calendar, against one that counts day by day.

use super::{BLOCK, kernel};
use crate::launch::{Args, Grid};
use crate::selftest::{Context, Failure, expect_equal};

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first of January 1970 to that of `year`, year by year.
fn new_year(year: i64) -> i64 {
    let days = |year| 365 + i64::from(is_leap(year));
    if year >= 1970 {
        (1970..year).map(days).sum()
    } else {
        -(year..1970).map(days).sum::<i64>()
    }
}

fn days_of(year: i64, month: i64, day: i64) -> i64 {
    new_year(year) + (1..month).map(|month| days_in_month(year, month)).sum::<i64>() + day - 1
}

/// Week and year of ISO 8601: the first week is the one with the fourth of January.
fn iso_week(days: i64, year: i64) -> [i64; 2] {
    let first_monday = |year| {
        let fourth = days_of(year, 1, 4);
        fourth - (fourth + 3).rem_euclid(7)
    };
    let iso_year = [year + 1, year, year - 1]
        .into_iter()
        .find(|&y| first_monday(y) <= days)
        .unwrap_or(year);
    [(days - first_monday(iso_year)) / 7 + 1, iso_year]
}

pub(super) fn dates(context: &mut Context) -> Result<(), Failure> {
    let kernel = kernel(context, "dates")?;
    let dates: Vec<[i64; 3]> = (0..1500)
        .flat_map(|at| {
            let year = match at % 3 {
                0 => 1900 + context.random.below(200) as i64,
                1 => context.random.below(10_000) as i64 - 4000,
                _ => 400 * (context.random.below(20) as i64 - 8),
            };
            let month = 1 + context.random.below(12) as i64;
            let last = days_in_month(year, month);
            [
                [year, month, 1 + context.random.below(last as u64) as i64],
                [year, month, last],
                [year, 3, 1],
            ]
        })
        .collect();
    let days: Vec<i64> = dates
        .iter()
        .map(|&[year, month, day]| days_of(year, month, day))
        .collect();
    let Context {
        stream, reservation, ..
    } = &*context;
    let input = stream.upload_values(reservation, &days)?;
    let out = stream.allocate(reservation, days.len() * 9 * 8)?;
    let args = Args::new().buffer(&input).value(days.len() as u64).buffer(&out);
    stream.launch(&kernel, Grid::covering(days.len(), BLOCK, BLOCK as u32), &args)?;
    let found = stream.read_sync::<i64>(out.view())?;
    for (at, (&[year, month, day], &days)) in dates.iter().zip(&days).enumerate() {
        let [week, iso_year] = iso_week(days, year);
        let months = year * 12 + month - 1 + at as i64 % 61 - 30;
        let (later_year, later_month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let later = days_of(
            later_year,
            later_month,
            day.min(days_in_month(later_year, later_month)),
        );
        let weekday = (days + 3).rem_euclid(7);
        let in_year = days - new_year(year) + 1;
        let expected = [year, month, day, days, weekday, in_year, week, iso_year, later];
        expect_equal(
            &format!("parts of {year}-{month}-{day}"),
            &found[at * 9..][..9],
            &expected,
        )?;
    }
    Ok(())
}
