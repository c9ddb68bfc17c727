//! The example runs, and each call gets what it has to.

#[test]
fn each_call_gets_what_it_has_to() {
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_grpc")).output().expect("the example");
    assert!(run.status.success(), "{run:?}");
    let lines = [
        "Balance, with no token        Unauthenticated (16): unauthenticated",
        "Balance, with a wrong one     Unauthenticated (16): invalid_token",
        "Balance, with two at once     Internal (13): grpc-status header missing, mapped from HTTP status code 400",
        "Balance, as alice             alice has 42 EUR",
        "Transfer, without that scope  PermissionDenied (7): insufficient_scope",
        "Rates, the first              1 EUR is 1.08 USD",
        "Logout                        logged out",
        "Rates, the next               Unauthenticated (16): invalid_token",
        "Balance, with that token      Unauthenticated (16): invalid_token",
        "Rates, with that token        Unauthenticated (16): invalid_token",
    ];
    let told = String::from_utf8_lossy(&run.stdout);
    assert_eq!(told.lines().collect::<Vec<_>>(), lines);
}
