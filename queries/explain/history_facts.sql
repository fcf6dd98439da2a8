-- id: history_facts
-- title: What happened to a pull request: opened, pushed to, merged
-- about: pull_request
-- checks: pull_request_approved, pull_request_dependency_check_passed, pull_request_integration_tests_passed, pull_request_sast_passed
-- grain: one row per verdict and thing that happened to the code
-- reads: explained_verdicts, merged_pull_requests, final_code, pull_request_iterations, people
-- params: organization text; pull_request_id bigint

with
verdicts as (
    select check_id, reason_code, check_id = 'pull_request_approved' as is_about_votes
    from explained_verdicts
    where pull_request_id = $pull_request_id and check_id like 'pull\_request\_%'
),
-- one row: the pull request
merged as (
    select *, coalesce(author_name, author_unique_name, author_id, 'nobody known') as author
    from merged_pull_requests
    where organization = $organization and pull_request_id = $pull_request_id
),
code as (select * from final_code where organization = $organization and pull_request_id = $pull_request_id),
-- one row per iteration
iterations as (
    select
        iterations.*,
        coalesce(
            people.display_name,
            case when iterations.pushed_by_id = merged.author_id then merged.author end,
            iterations.pushed_by_unique_name, iterations.pushed_by_id, 'nobody known'
        ) as pusher,
        strpos(lower(coalesce(iterations.reason, '')), 'retarget') > 0 as is_retarget,
        iterations.at > merged.merged_at as is_late
    from pull_request_iterations as iterations
    cross join merged
    left join people on people.organization = iterations.organization and people.person_id = iterations.pushed_by_id
    where iterations.organization = $organization and iterations.pull_request_id = $pull_request_id
),
-- one row per thing that happened; is_final: it brought the code that was merged
events as (
    select
        created_at as at, 0 as step, 'opened' as kind,
        concat(author, ' opened the pull request from ', replace(source_ref, 'refs/heads/', ''),
            case when fork_repository_id is not null then ' of a fork' else '' end) as fact,
        cast(null as varchar) as why, false as is_final, cast(pull_request_id as varchar) as id
    from merged
    union all
    select
        iterations.at, 1 as step, 'iteration' as kind,
        case
            when iterations.is_retarget then concat(
                iterations.pusher, ' moved it',
                coalesce(' from ' || replace(iterations.old_target_ref, 'refs/heads/', ''), ''),
                coalesce(' to ' || replace(iterations.new_target_ref, 'refs/heads/', ''), ''),
                ' (iteration ', cast(iterations.iteration_id as varchar), ')'
            )
            else concat(
                iterations.pusher, ' pushed iteration ', cast(iterations.iteration_id as varchar),
                coalesce(', commit ' || substr(iterations.source_commit, 1, 8), ''),
                case when lower(iterations.reason) = 'forcepush' then ', forced' else '' end
            )
        end as fact,
        null as why,
        coalesce(iterations.iteration_id = code.last_push_iteration_id, false) as is_final,
        cast(iterations.iteration_id as varchar) as id
    from iterations
    cross join code
    union all
    select
        merged_at as at, 8 as step, 'merged' as kind,
        case
            when is_merged_externally then concat(
                'its commits were found on ', branch, ': closed without a completion by Azure DevOps'
            )
            else concat(
                coalesce(closed_by_name, closed_by_unique_name, closed_by_id, 'somebody'), ' merged it into ', branch,
                coalesce(' as commit ' || substr(merge_commit, 1, 8), '')
            )
        end as fact,
        case
            when is_policy_bypassed then concat('bypassing the branch policies', coalesce(', reason given: ' || nullif(bypass_reason, ''), ''))
        end as why,
        false as is_final, merge_commit as id
    from merged
)
select
    verdicts.check_id,
    case when events.kind = 'merged' and verdicts.reason_code = 'MERGED_EXTERNALLY' then 'against' else 'context' end as effect,
    events.at, events.step, events.kind, events.fact,
    case
        when events.is_final and not verdicts.is_about_votes then 'the final code, which has to be covered'
        when events.is_final then 'the last push'
        else events.why
    end as why,
    events.id, cast(null as varchar) as url
from events
cross join verdicts
