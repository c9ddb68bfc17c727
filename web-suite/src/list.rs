//! Every test, by name. A function that is not in the list is dead code, which the compiler tells.

use std::future::Future;
use std::pin::Pin;

use crate::server::Adapter;
use crate::site::Place;

/// Makes a `#[tokio::test]` of each test, so that the runner lists them by their names. To be passed to `for_each_test`.
#[macro_export]
macro_rules! tests {
    ([$adapter:expr] $($module:ident {
        $(outside { $($outside:ident)* })?
        $(inside { $($inside:ident)* })?
    })*) => {$(
        mod $module {
            $($(
                #[tokio::test]
                async fn $outside() {
                    $crate::run(stringify!($module), stringify!($outside), $adapter).await;
                }
            )*)?
            $($(
                #[tokio::test]
                async fn $inside() {
                    $crate::run(stringify!($module), stringify!($inside), $adapter).await;
                }
            )*)?
        }
    )*};
}

/// As [`tests`], of those that look from outside alone.
#[macro_export]
macro_rules! tests_from_outside {
    ([$place:expr] $($module:ident {
        $(outside { $($outside:ident)* })?
        $(inside { $($inside:ident)* })?
    })*) => {$(
        mod $module {
            $($(
                #[tokio::test]
                async fn $outside() {
                    $crate::run_from_outside(stringify!($module), stringify!($outside), $place).await;
                }
            )*)?
        }
    )*};
}

/// Calls a macro with the list of all tests, and before it with what stands after the macro's name. Those that look from
/// outside need nothing but a [`Place`]; the others have the inside of the service in their hands.
///
/// ```ignore
/// use signoff_web_suite::{for_each_test, tests};
///
/// for_each_test!(tests, crate::app::ADAPTER);
/// ```
#[macro_export]
macro_rules! for_each_test {
    ($then:ident, $($argument:tt)*) => {
        $then! {
            [$($argument)*]
            access {
                outside {
                    who_gets_in
                    all_bad_credentials_get_the_same_answer
                    two_methods_at_once_are_a_bad_request
                    hostile_headers_are_refused
                    keys_and_module_are_served
                }
                inside {
                    an_outage_is_not_a_refusal
                }
            }
            caches {
                inside {
                    what_depends_on_who_asks_is_not_given_to_others
                    an_answer_that_sets_the_session_cookie_is_not_stored
                }
            }
            csrf {
                inside {
                    without_the_token_of_the_session_nothing_happens
                    a_bearer_token_needs_none
                    a_renewed_cookie_has_a_token_of_its_own
                }
            }
            dead_cookies {
                outside {
                    a_cookie_of_an_ended_session_is_taken_from_the_browser
                }
                inside {
                    what_is_put_back_around_the_layer_is_gone_with_the_next_request
                    a_cookie_whose_session_may_live_is_kept
                }
            }
            errors {
                inside {
                    an_error_from_within_is_looked_over_as_well
                }
            }
            events {
                inside {
                    an_event_stream_ends_with_its_session
                    an_event_stream_ends_with_the_time_of_its_token
                }
            }
            fenced {
                inside {
                    routes_reject_or_read_through
                    what_stays_open_ends
                }
            }
            form {
                inside {
                    it_ends_on_a_page_of_the_list
                    what_is_not_done_is_not_shown_as_done
                    without_pages_the_answer_is_json
                }
            }
            guard {
                inside {
                    scopes_are_demanded_together
                    a_fresh_authentication_is_demanded_and_a_step_up_is_one
                    only_what_changes_state_must_come_from_our_pages
                    without_the_layer_nobody_gets_in
                }
            }
            late {
                inside {
                    a_request_in_flight_cannot_bring_its_session_back
                    a_cookie_is_renewed_after_half_its_life_and_only_while_the_session_lives
                    a_late_answer_does_not_renew_the_cookie_of_a_dead_session
                    a_store_in_trouble_costs_the_renewal_and_not_the_answer
                }
            }
            late_cookies {
                inside {
                    a_cookie_whose_session_ended_meanwhile_is_cleared_instead
                    a_cookie_of_which_nothing_is_known_is_left_out
                    a_cookie_that_the_browser_keeps_moves_on_with_the_session
                    a_cookie_does_not_move_on_when_its_session_ended_meanwhile
                    a_store_that_hangs_holds_no_answer_up_for_long
                }
            }
            login {
                outside {
                    whoever_logs_in_ends_the_session_that_the_browser_had
                    stepping_up_gives_another_id_and_token
                    all_other_sessions_are_ended
                }
                inside {
                    programs_get_their_tokens_in_the_body
                    wherever_the_store_fails_nobody_is_told_a_lie
                    others_that_may_live_on_are_not_told_as_ended
                }
            }
            logout {
                outside {
                    a_logout_answers_with_everything_that_clears_the_browser
                    a_bearer_token_logs_out_without_touching_cookies
                    every_cookie_presented_is_logged_out
                    logout_is_for_post_from_our_own_pages
                    without_a_credential_of_ours_nothing_is_cleared
                    devices_are_listed_and_ended
                }
                inside {
                    an_application_may_keep_its_storage
                    cookies_of_the_past_are_logged_out_and_cleared
                    a_store_that_does_not_confirm_is_a_503_that_clears_nothing
                }
            }
            orders {
                inside {
                    no_order_leaves_the_cookie_of_a_dead_session
                }
            }
            refresh {
                inside {
                    a_token_is_exchanged
                    all_bad_tokens_get_the_same_answer
                    a_token_is_read_from_the_form_and_from_nowhere_else
                    a_store_that_does_not_confirm_is_a_503_and_a_retry_gets_the_successor
                    a_refresh_token_logs_out
                }
            }
            sockets {
                inside {
                    a_socket_ends_with_its_session
                    without_a_session_there_is_no_socket
                    a_page_of_another_site_gets_no_socket
                }
            }
        }
    };
}

macro_rules! find {
    ([$module_name:expr, $test_name:expr, $adapter:expr] $($module:ident {
        $(outside { $($outside:ident)* })?
        $(inside { $($inside:ident)* })?
    })*) => {
        match ($module_name, $test_name) {
            $(
                $($((stringify!($module), stringify!($outside)) => Some(Box::pin(crate::$module::$outside($adapter))),)*)?
                $($((stringify!($module), stringify!($inside)) => Some(Box::pin(crate::$module::$inside($adapter))),)*)?
            )*
            _ => None,
        }
    };
}

macro_rules! find_from_outside {
    ([$module_name:expr, $test_name:expr, $place:expr] $($module:ident {
        $(outside { $($outside:ident)* })?
        $(inside { $($inside:ident)* })?
    })*) => {
        match ($module_name, $test_name) {
            $($($((stringify!($module), stringify!($outside)) => Some(Box::pin(crate::$module::$outside($place))),)*)?)*
            _ => None,
        }
    };
}

type Found = Option<Pin<Box<dyn Future<Output = ()>>>>;

/// Runs a test of the list.
///
/// # Panics
///
/// When it fails, and when there is no such test.
pub async fn run(module: &str, test: &str, adapter: Adapter) {
    let found: Found = for_each_test!(find, module, test, adapter);
    found.unwrap_or_else(|| panic!("there is no test {module}::{test}")).await;
}

/// Runs a test of the list that looks from outside alone.
///
/// # Panics
///
/// When it fails, and when there is no such test.
pub async fn run_from_outside(module: &str, test: &str, place: impl Place + 'static) {
    let found: Found = for_each_test!(find_from_outside, module, test, place);
    found.unwrap_or_else(|| panic!("there is no test {module}::{test}")).await;
}
