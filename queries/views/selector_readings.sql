-- id: selector_readings
-- title: What was read of all that a selector needs
-- grain: one row per profile, merged pull request and solution of its repository
-- reads: final_code, solution_selectors, run_windows_read, run_windows_expired, touched_paths

with
-- one row per profile
profiles as (select column1 as profile from (values ('standard'), ('strict'))),
-- one row per profile, pull request and solution
selected as (
    select
        profiles.profile, selectors.kind, selectors.solution_index, selectors.solution, selectors.selector,
        selectors.paths_json, selectors.require, selectors.is_ambiguous, final_code.*
    from profiles
    cross join solution_selectors as selectors
    join final_code
        on final_code.organization = selectors.organization
        and final_code.repository_id = selectors.repository_id
),
-- the same, with whether all runs from the last push to the merge were read
covered as (
    select selected.*, windows.project_id is not null as is_runs_read
    from run_windows_read as windows
    right join selected
        on selected.organization = windows.organization
        and selected.project_id = windows.project_id
        and selected.pushed_at >= windows.window_from
        and selected.merged_at <= windows.window_to
),
-- the same, with whether runs may have been purged before they were read
dated as (
    select covered.*, windows.project_id is not null as is_runs_expired
    from run_windows_expired as windows
    right join covered
        on covered.profile = windows.profile
        and covered.organization = windows.organization
        and covered.project_id = windows.project_id
        and covered.pushed_at > windows.pushed_after
        and covered.pushed_at <= windows.pushed_until
        and covered.pushed_at < windows.pushed_before
)
select
    dated.*,
    dated.paths_json is null or coalesce(touched_paths.is_touched, false) as is_touched,
    (dated.selector = 'status' or dated.is_runs_read)
        and (dated.selector not in ('any', 'status') or (dated.is_statuses_read and dated.is_iterations_read))
        and dated.is_evaluations_read
        and (dated.paths_json is null or dated.is_changes_read) as is_read
from touched_paths
right join dated
    on dated.organization = touched_paths.organization
    and dated.pull_request_id = touched_paths.pull_request_id
    and dated.kind = touched_paths.kind
    and dated.solution_index = touched_paths.solution_index
