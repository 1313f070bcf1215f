//! What users of authenticated WebSockets complain about, and the tests that keep each complaint from being made of this crate.
//!
//! | Complaint | Test(s) |
//! | --- | --- |
//! | 1. After a reconnect the old token comes back, and the server refuses it for ever | `tests/suites/complaints/tokens.rs::each_attempt_asks_for_its_token_and_shows_no_earlier_one` |
//! | 2. A refused login is tried again for ever, and nobody is told | `tests/suites/complaints/verdicts.rs::a_refused_credential_is_replaced_once_and_the_second_refusal_ends_the_session_and_is_told` |
//! | 3. A refused login ends the session, although a fresh token would have helped | `tests/suites/complaints/verdicts.rs::a_refusal_that_a_fresh_token_heals_ends_nothing`, `tests/suites/complaints/verdicts.rs::a_close_backs_off_or_renews_or_ends_by_the_table_which_is_the_users_to_replace` |
//! | 4. A connection is dead, and the client does not notice, or waits for a farewell | `tests/suites/complaints/liveness.rs::any_byte_of_the_server_is_a_sign_of_life`, `tests/suites/blocking/floods.rs::what_is_due_is_done_while_a_peer_dribbles_and_it_is_not_taken_for_dead`, `tests/suites/complaints/liveness.rs::a_silent_server_is_pinged_and_then_left_within_two_intervals_without_a_close_handshake`, `tests/suites/faults/silence.rs::a_connection_that_died_in_one_direction_is_found_by_pings` |
//! | 5. Timers stand still while the computer sleeps | `tests/suites/complaints/liveness.rs::a_computer_that_slept_asks_at_once_and_once_whether_its_connection_lives`, `tests/suites/complaints/liveness.rs::a_token_that_expired_in_a_sleep_is_replaced_as_soon_as_the_computer_wakes` |
//! | 6. A renewal fails in silence, and the session dies later | `tests/suites/complaints/tokens.rs::each_failed_renewal_tells_the_time_left_and_the_session_leaves_before_it_is_told_to`, `tests/suites/complaints/tokens.rs::a_manager_tells_of_each_failed_request_with_the_time_left_and_hurries_towards_the_end` |
//! | 7. Renewals cross or double after a reconnect, and a late close kills the new connection | `tests/suites/complaints/liveness.rs::a_late_answer_or_close_of_an_earlier_connection_touches_nothing_of_the_next`, `tests/suites/complaints/liveness.rs::after_any_number_of_reconnects_a_credential_is_renewed_once_in_its_life` |
//! | 8. Two renewals race with one refresh token, and log the user out | `tests/suites/complaints/tokens.rs::sessions_that_share_a_login_redeem_each_refresh_token_once`, `tests/suites/manager.rs::a_thousand_callers_share_one_request`, `tests/suites/deadly/late_rejections.rs::twenty_late_rejections_of_one_generation_cause_one_request`, `tests/suites/crash.rs::processes_that_share_a_login_and_are_killed_never_lose_it` |
//! | 9. The token is in the query, and so in the logs of proxies | `tests/suites/complaints/placement.rs::no_dialect_has_the_credential_in_its_query_but_those_that_say_so`, `tests/suites/complaints/placement.rs::a_token_in_the_query_is_in_nothing_that_is_printed_told_or_reported` |
//! | 10. The token breaks the subprotocol that it stands in, or is sent back in it | `tests/suites/complaints/placement.rs::a_token_that_can_not_stand_in_a_subprotocol_is_refused_before_anything_is_sent`, `tests/suites/complaints/placement.rs::in_base64url_without_padding_any_token_can_stand_in_a_subprotocol`, `tests/suites/complaints/placement.rs::only_the_marker_may_be_selected_and_never_the_token_beside_it` |
//! | 11. Nobody can see why an upgrade was refused | `tests/suites/complaints/verdicts.rs::a_refused_upgrade_is_told_with_its_status_and_the_wait_that_it_names` (of its headers, those that name a wait) |
//! | 12. A whole fleet comes back at the same instant | `tests/suites/complaints/reconnecting.rs::the_waits_of_a_fleet_are_spread_in_full_from_the_first_attempt_on_and_at_the_cap`, `tests/suites/complaints/reconnecting.rs::no_more_sessions_connect_at_once_than_their_budget_says`, `tests/suites/complaints/reconnecting.rs::sessions_without_a_budget_of_their_own_share_that_of_the_process` |
//! | 13. A server that accepts and then closes is hammered, since each open connection resets the wait | `tests/suites/complaints/reconnecting.rs::a_server_that_accepts_and_then_closes_is_left_alone_for_ever_longer` |
//! | 14. The server says when to come back, and is not heard | `tests/suites/complaints/reconnecting.rs::the_wait_that_a_server_names_is_kept_within_bounds_and_lengthened_at_random` |
//! | 15. Nobody knows whether something was missed across a reconnect | `tests/suites/complaints/messages.rs::the_next_login_repeats_what_the_last_was_told_and_the_event_says_whether_it_was_taken_up` |
//! | 16. What is sent during an outage grows without bound, or arrives twice | `tests/suites/complaints/messages.rs::what_waits_for_a_connection_is_bounded_by_number_and_by_bytes`, `tests/suites/complaints/messages.rs::by_default_whoever_sends_too_much_waits_and_nothing_is_dropped`, `tests/suites/complaints/messages.rs::nothing_of_which_a_byte_has_left_is_sent_again_by_itself` |
//! | 17. Both ends write, neither reads, and they wait for each other | `tests/suites/complaints/messages.rs::two_ends_that_both_write_first_do_not_wait_for_each_other_in_16_kib_pipes`, `tests/suites/session.rs::a_flood_that_is_echoed_arrives_in_order_and_whole` |
//! | 18. An idle connection costs a hundred kilobytes | `tests/suites/complaints/ends.rs::an_idle_session_reads_with_a_buffer_of_16_kib_at_most` (the rest of its memory is a matter of benches) |
//! | 19. A close or a drop during a reconnect leaves a zombie | `tests/suites/complaints/ends.rs::a_close_is_final_wherever_the_session_stands`, `tests/suites/complaints/ends.rs::a_session_that_is_dropped_leaves_no_attempt_no_connection_and_no_task` |
//! | 20. No proxy, one dead address hides the others, and nothing bounds the time to connect | `tests/suites/complaints/ends.rs::a_session_reaches_its_server_through_a_connect_proxy`, `crates/ws-session/src/driver/tokio/race.rs::a_dead_address_costs_a_quarter_of_a_second_and_one_that_refuses_nothing`, `crates/ws-session/src/driver/tests/time.rs::a_source_that_does_not_answer_is_asked_again_in_time`, `crates/ws-session/src/driver/tests/time.rs::an_upgrade_that_is_not_answered_is_given_up_after_the_open_timeout`, `crates/ws-session/src/driver/tests/time.rs::a_login_that_is_not_answered_is_given_up_after_the_answer_timeout`, `crates/ws-session/src/driver/tests/time.rs::a_close_that_is_not_answered_takes_the_close_timeout` |
//! | A token of more than 24.8 days overflows a timer | `tests/suites/complaints/tokens.rs::a_token_that_lives_for_months_is_renewed_when_it_should_be_and_not_before` |
//! | The client's clock is wrong, and good tokens look expired | `tests/suites/complaints/tokens.rs::a_lifetime_counts_from_its_receipt_whatever_the_wall_clock_says`, `tests/suites/deadly/clock_faults.rs::short_lived_tokens_of_a_server_whose_clock_is_off_are_cached_all_the_same` |
//! | A proxy forgets a connection on which nobody speaks | `tests/suites/complaints/liveness.rs::an_idle_connection_is_pinged_more_often_than_every_30_seconds_by_default` |
//! | Whoever is closed on without an answer reads of a protocol error | `tests/suites/complaints/ends.rs::a_server_that_hangs_up_instead_of_answering_a_close_is_no_failure` |
//! | A revoked token keeps its connection | `tests/suites/gateway_dialects.rs::a_revoked_credential_ends_its_connection_where_the_server_can_not_ask`, `tests/suites/ably_server/realtime.rs::a_revocation_reaches_live_connections_and_only_those_it_concerns` |
//! | A storm of logins uses a credential up | `crates/ws-session/src/driver/tests/budget.rs::a_rate_is_kept_to_whoever_gives_up_meanwhile` |
//! | Of two other clients: a final close counts only with a reason, and jitter is lost at the cap | `tests/suites/complaints/verdicts.rs::a_final_close_without_a_reason_ends_a_session_as_one_with_a_reason_does`, `tests/suites/complaints/reconnecting.rs::the_waits_of_a_fleet_are_spread_in_full_from_the_first_attempt_on_and_at_the_cap` |
//!
//! Most of them run in virtual time over pipes in memory: an hour of an outage takes none. Compression is not offered.

mod clocked;
mod ends;
mod liveness;
mod messages;
mod placement;
mod reconnecting;
mod scene;
mod tokens;
mod verdicts;
