-- id: status_evidence
-- title: What the statuses of each genre and name prove
-- grain: one row per profile, merged pull request, solution that may be a status, and genre and name posted to the pull request
-- reads: final_code, pull_request_statuses, solution_statuses

with
-- one row per profile
profiles as (select column1 as profile from (values ('standard'), ('strict'))),
-- one row per solution and status
selected_statuses as (
    select
        names.kind, names.solution_index, names.organization, names.genre, names.name,
        statuses.pull_request_id, statuses.status_id, statuses.state, statuses.iteration_id, statuses.created_at,
        statuses.removed_at, statuses.target_url
    from solution_statuses as names
    join pull_request_statuses as statuses
        on statuses.organization = names.organization
        and statuses.repository_id = names.repository_id
        and coalesce(statuses.genre, '') = names.genre
        and statuses.name = names.name
),
-- the same, with step: 3 posted in time for the final code, 2 posted after the merge, 1 posted for older code
placed_statuses as (
    select
        statuses.*, final_code.merged_at,
        case
            when statuses.created_at > final_code.merged_at then 2
            when statuses.iteration_id = final_code.last_iteration_id then 3
            when statuses.iteration_id is null and statuses.created_at > final_code.last_push_at then 3
            else 1
        end as step
    from final_code
    join selected_statuses as statuses
        on statuses.organization = final_code.organization
        and statuses.pull_request_id = final_code.pull_request_id
    where statuses.removed_at is null or statuses.removed_at > final_code.merged_at
),
-- one row per solution, pull request, genre and name
grouped_statuses as (
    select
        organization, pull_request_id, merged_at, kind, solution_index, genre, name,
        array_agg(named_struct(
            'step', step, 'created_at', created_at, 'status_id', status_id, 'state', cast(state as varchar), 'url', cast(target_url as varchar)
        )) as statuses,
        count(*) as status_count
    from placed_statuses
    group by organization, pull_request_id, merged_at, kind, solution_index, genre, name
),
-- the same, with the status that decides: best step, then the last one
chosen_statuses as (
    select
        *,
        case when status_count > 1 then array_sort(statuses)[cast(status_count as int)] else statuses[1] end as chosen
    from grouped_statuses
),
-- the same, with what it proves
proven_statuses as (
    select
        *,
        case
            when chosen['step'] = 2 then 'STATUS_AFTER_MERGE'
            when chosen['step'] = 1 then 'STALE_STATUS'
            when chosen['state'] = 'succeeded' then 'STATUS_SUCCEEDED'
            when chosen['state'] = 'notApplicable' then 'STATUS_NOT_APPLICABLE'
            when chosen['state'] in ('pending', 'notSet') then 'STATUS_PENDING'
            else 'STATUS_FAILED'
        end as reason_code
    from chosen_statuses
)
select
    statuses.organization, statuses.pull_request_id, statuses.merged_at, profiles.profile, statuses.kind, statuses.solution_index,
    'status' as leg,
    statuses.reason_code,
    '' as flags,
    'status' as what, cast(concat(statuses.genre, case when statuses.genre <> '' then '/' else '' end, statuses.name) as varchar) as name,
    statuses.chosen['status_id'] as id, statuses.chosen['state'] as result,
    statuses.chosen['created_at'] as at, statuses.chosen['url'] as url
from proven_statuses as statuses
cross join profiles
