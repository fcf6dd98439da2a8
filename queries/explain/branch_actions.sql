-- id: branch_actions
-- title: What can be done about a verdict on a branch now
-- about: branch
-- checks: branch_policy_requires_approval, change_has_pull_request
-- grain: one row per verdict that fails or is unknown
-- reads: explained_verdicts, changes_without_pull_request
-- params: organization text; repository_id text; branch text; start_at timestamp; period_from timestamp; period_to timestamp; as_of timestamp

with
verdicts as (
    select *, concat(organization, '/', project, '/', repository) as repository_path
    from explained_verdicts
    where check_id in ('branch_policy_requires_approval', 'change_has_pull_request') and status in ('fail', 'unknown')
),
-- one row: the last update that came without a pull request, null without one
last_push as (
    select last_value(new_commit order by at, push_id) as commit_id
    from changes_without_pull_request
    where organization = $organization and repository_id = $repository_id and branch = $branch
        and explanation in ('direct_push', 'recreated')
        and at >= greatest($start_at, $period_from) and at <= least($period_to, $as_of)
)
select
    verdicts.check_id, 'now' as effect, cast(null as timestamp) as at, 0 as step, 'action' as kind,
    case
        when verdicts.reason_code = 'NOT_CONFIGURED' then concat(
            'in `adolake.toml`: `[[repository]]` with `match = "', verdicts.repository_path, '"` and the right `production-branches`, or `in-scope = false`'
        )
        when verdicts.reason_code = 'POLICIES_UNREADABLE' then 'give the identity Code (Read) in the project, see `adolake doctor`, and sync'
        when verdicts.reason_code = 'EVIDENCE_UNREADABLE' then '`adolake sync` tries again; where it stays so, `adolake doctor` tells which permission is missing'
        when verdicts.reason_code = 'POLICY_HISTORY_UNPROVEN' then 'what held before the first sync may not be shown any more; `checks.start-date` says from when it is asked'
        when verdicts.reason_code = 'POLICY_GAP' then 'the gap stays on record; what was merged in it is judged one by one. `checks.start-date` says from when it is asked'
        when verdicts.check_id = 'branch_policy_requires_approval' then concat('change the policy of ', verdicts.branch, ', then sync: it is judged as it is now')
        else concat(
            'review what was pushed; a push that was right is accepted by an `[[exception]]` with `match = "', verdicts.repository_path, '@',
            coalesce(last_push.commit_id, 'COMMIT'), '"`, a reason and who approved it'
        )
    end as fact,
    cast(null as varchar) as why, cast(null as varchar) as id, cast(null as varchar) as url
from verdicts
cross join last_push
