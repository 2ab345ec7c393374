//! Every case under tests/differential/cases is run by ansible-playbook and by dayfly: same files, counters and exit code.

#[path = "differential/case.rs"]
mod case;
#[path = "differential/outcome.rs"]
mod outcome;
#[path = "differential/tree.rs"]
mod tree;

macro_rules! cases {
    ($($name:ident)*) => {
        $(#[test] fn $name() { case::compare(stringify!($name)); })*

        #[test]
        fn every_case_is_listed() {
            let listed: std::collections::BTreeSet<String> = [$(stringify!($name)),*].map(str::to_owned).into();
            assert_eq!(case::names(), listed, "files in tests/differential/cases (left) and the list in this file");
        }
    };
}

cases! {
    all_failed any_errors_fatal any_errors_fatal_block any_errors_fatal_rescue assert_fail_debug
    block_always_fails block_include_fails block_inherits block_nested block_nested_rescue block_rescue_always
    block_rescue_fails changed_and_failed_when check_mode check_mode_task clear_facts command copy copy_content delegate_to
    end_host end_play environment extra_vars facts facts_gathered_when failed_when_undefined
    failure_stops_host file filters filters_regex find handlers handlers_after_failure handlers_flush
    handlers_in_block handlers_include handlers_listen handlers_notify_handlers handlers_rescue host_patterns
    ignore_errors ignore_unreachable import_condition_each import_tasks include_tasks include_vars
    jinja_expressions lazy_variables limit lineinfile localhost_play lookups loop_control loop_dict
    loop_failure loop_items loop_nested_include loop_register loop_sequence magic_variables native_types
    no_log omit ping_pause_noop places play_hosts_left register_kinds run_once run_once_failure
    run_once_rescue script sections serial serial_failure set_fact shell_and_raw skip_tags slurp_and_fetch
    stat string_methods tags tags_all_and_never tags_tagged template template_undefined tests timeout
    two_plays_share_facts undefined unreachable unsafe_text until until_exhausted until_in_loop
    variable_precedence vars_files when when_text_is_no_boolean yaml_1_1
}
