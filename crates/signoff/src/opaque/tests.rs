//! One spelling per token, one kind per token, one hash per kind and pepper.

use super::*;

#[test]
fn the_checksum_is_the_one_that_scanners_know() {
    assert_eq!(&checksum(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), b"0mLq17");
}

#[test]
fn tokens_have_one_spelling() {
    let (token, hash) = generate(Kind::Access, &Peppers::none()).unwrap();
    let text = token.expose();
    assert_eq!(text.len(), 53);
    let parse = |text: &str| Opaque::parse(Kind::Access, text).map(|_| ());
    assert_eq!(parse(text), Ok(()));
    assert_eq!(Opaque::parse(Kind::Access, text).unwrap().hashes(&Peppers::none()).collect::<Vec<_>>(), [hash]);
    assert_ne!(text, generate(Kind::Access, &Peppers::none()).unwrap().0.expose());
    for n in 0..text.len() {
        let mut changed = text.to_owned().into_bytes();
        changed[n] = if changed[n] == b'x' { b'y' } else { b'x' };
        assert!(parse(std::str::from_utf8(&changed).unwrap()).is_err(), "character {n}");
    }
    for bad in [
        "",
        "soa_",
        &text[..52],
        &format!("{text}0"),
        &format!(" {text}"),
        &format!("{text}\n"),
        &text.to_lowercase(),
        &text.replace("soa_", "soc_"),
        &format!("soa_{}", "é".repeat(24)),
        &format!("sor_{}", "é".repeat(24)),
    ] {
        assert_eq!(parse(bad), Err(Rejection::Malformed), "{bad:?}");
    }
}

#[test]
fn every_digit_is_drawn_about_as_often() {
    let mut seen = [0_u32; 128];
    for _ in 0..2_000 {
        let (token, _) = generate(Kind::Session, &Peppers::none()).unwrap();
        token.expose()[PREFIX..PREFIX + RANDOM].bytes().for_each(|digit| seen[usize::from(digit)] += 1);
    }
    let counts: Vec<_> = DIGITS.iter().map(|digit| seen[usize::from(*digit)]).collect();
    // 1,387 on average with a deviation of 37: a miss by chance once in millions of runs.
    assert!(counts.iter().all(|count| (1_150..1_650).contains(count)), "{counts:?}");
}

#[test]
fn random_bits_are_a_fraction_in_base62() {
    let text = |random: [u8; 32]| {
        let mut digits = [0; RANDOM];
        in_base62(&random, &mut digits);
        String::from_utf8(digits.to_vec()).unwrap()
    };
    assert_eq!(text([0; 32]), "0".repeat(43));
    // 1/2 is 31/62, and 3/4 is 46/62 + 31/62^2.
    let top = |byte| {
        let mut random = [0; 32];
        random[31] = byte;
        text(random)
    };
    assert_eq!(top(0x80), format!("V{}", "0".repeat(42)));
    assert_eq!(top(0xc0), format!("kV{}", "0".repeat(41)));
    assert!(text([0xff; 32]).starts_with(&"z".repeat(42)), "{}", text([0xff; 32]));
    // The least bit is worth 62^43 / 2^256 = 1.02 of the last digit.
    let least = |byte| {
        let mut random = [0; 32];
        random[0] = byte;
        text(random)
    };
    assert_eq!(least(1), format!("{}1", "0".repeat(42)));
    let some: std::collections::BTreeSet<_> = (0..=255).map(least).collect();
    assert_eq!(some.len(), 256, "no two have the same digits");
}

#[test]
fn a_token_of_one_kind_is_none_of_another() {
    for kind in Kind::ALL {
        let (token, hash) = generate(kind, &Peppers::none()).unwrap();
        for other in Kind::ALL {
            let parsed = Opaque::parse(other, token.expose());
            assert_eq!(
                parsed.map(|token| token.kind()),
                if kind == other { Ok(kind) } else { Err(Rejection::WrongType) }
            );
            // The same digits as another kind have another hash.
            let renamed = token.expose().replacen(kind.prefix(), other.prefix(), 1);
            let renamed = Opaque::parse(other, &renamed).unwrap().hashes(&Peppers::none()).next().unwrap();
            assert_eq!(renamed == hash, kind == other);
        }
    }
}

#[test]
fn peppers_rotate_by_id() {
    let pepper = |id| Pepper::new(id, &[id; 32]).unwrap();
    let (plain, old, new) = (Peppers::none(), Peppers::new(pepper(1)), Peppers::new(pepper(2)));
    let (token, hash) = generate(Kind::Access, &old).unwrap();
    assert_eq!(hash.as_bytes()[0], 1);
    let token = Opaque::parse(Kind::Access, token.expose()).unwrap();
    let hashes = |peppers: &Peppers| token.hashes(peppers).collect::<Vec<_>>();
    assert_eq!(hashes(&old), [hash]);
    assert!(!hashes(&new).contains(&hash) && !hashes(&plain).contains(&hash));
    assert_eq!(hashes(&new.with_older(pepper(1)))[1], hash);
    let unpeppered = hashes(&plain)[0];
    assert_eq!(unpeppered.as_bytes()[0], 0);
    assert_eq!(hashes(&old.with_unpeppered()), [hash, unpeppered]);
    // The same id with another secret is another hash.
    assert_ne!(hashes(&Peppers::new(Pepper::new(1, &[9; 32]).unwrap())), [hash]);
    for (id, length) in [(0, 32), (1, 31), (1, 0)] {
        assert_eq!(Pepper::new(id, &vec![7; length]).unwrap_err().kind(), crate::ErrorKind::Misuse);
    }
    assert_eq!(format!("{:?}", pepper(7)), "Pepper(7, redacted)");
}
