-- id: policy_intervals
-- title: Since when a policy demanded an approval on a production branch
-- grain: one row per existing production branch with a policy of approvals and stretch of time in which its policies did not change
-- reads: branch_policy_revisions, branch_policies, sync_runs
-- slices: none
-- holds: bounded, branch_states

-- A revision whose beginning is not proven may have begun at any time since the last proven one, and a policy found deleted may
-- have gone at any time since it was last listed: such a stretch is satisfied only if each revision that may have held satisfies.
-- is_* = surely, may_be_* = surely or perhaps; to_at is null for the stretch that lasts.
with
-- inputs
covering as (select * from branch_policy_revisions where policy_kind in ('minimum_reviewers', 'required_reviewers')),
readings as (select organization, scope, window_to from sync_runs where resource = 'branch_policies' and status = 'ok'),
-- one row per revision
revisions as (
    select
        organization, project_id, policy_id, revision,
        min(valid_from) as valid_from,
        max(valid_to) as valid_to,
        bool_or(is_deleted and valid_to is null) as is_deletion,
        min(valid_from) filter (where is_valid_from_proven) as proven_from
    from branch_policies
    group by organization, project_id, policy_id, revision
),
-- one row per revision: when it began at the earliest and at the latest
bounded as (
    select
        *,
        coalesce(
            max(proven_from) over (partition by organization, policy_id order by revision rows between unbounded preceding and current row),
            arrow_cast('1970-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))')
        ) as earliest_from,
        -- valid_from of one whose beginning is not proven is when it was first seen: by then it had begun
        coalesce(
            proven_from,
            least(
                min(proven_from) over (partition by organization, policy_id order by revision rows between 1 following and unbounded following),
                valid_from
            )
        ) as latest_from,
        max(revision) over (partition by organization, policy_id) as last_revision,
        min(revision) over (partition by organization, policy_id) as first_revision
    from revisions
),
-- one row per policy found deleted: when it was last listed
last_listings as (
    select bounded.organization, bounded.policy_id, max(readings.window_to) as listed_at
    from bounded
    join readings on readings.organization = bounded.organization and readings.scope = bounded.project_id
    where bounded.revision = bounded.last_revision and readings.window_to < bounded.valid_to
    group by bounded.organization, bounded.policy_id
),
-- one row per state that a policy may have been in; revision is null before the first one and after the deletion
states as (
    select
        organization, policy_id, revision, is_deletion, earliest_from,
        coalesce(
            lead(latest_from) over (partition by organization, policy_id order by revision),
            valid_to
        ) as latest_to
    from bounded
    union all
    select
        organization, policy_id, null as revision, true as is_deletion,
        arrow_cast('1970-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') as earliest_from,
        latest_from as latest_to
    from bounded
    where revision = first_revision
    union all
    select
        bounded.organization, bounded.policy_id, null as revision, true as is_deletion,
        greatest(bounded.latest_from, coalesce(last_listings.listed_at, bounded.latest_from)) as earliest_from,
        null as latest_to
    from bounded
    left join last_listings on last_listings.organization = bounded.organization and last_listings.policy_id = bounded.policy_id
    where bounded.revision = bounded.last_revision and bounded.valid_to is not null
),
-- one row per branch and policy that ever covered it
covering_policies as (
    select organization, repository_id, branch, policy_id, repository_first_seen_at, bool_or(is_by_default_branch) as is_by_default_branch
    from covering
    group by organization, repository_id, branch, policy_id, repository_first_seen_at
),
-- one row per branch, policy and state that the policy may have been in
branch_states as (
    select
        covering_policies.organization, covering_policies.repository_id, covering_policies.branch, covering_policies.policy_id,
        states.earliest_from, states.latest_to,
        coalesce(covering.is_satisfying and not states.is_deletion, false) as is_satisfying,
        coalesce(covering.is_satisfying_strictly and not states.is_deletion, false) as is_satisfying_strictly,
        -- which branch was the default one before the first sync is not known
        case when covering.is_by_default_branch then covering_policies.repository_first_seen_at end as proven_from
    from covering_policies
    join states on states.organization = covering_policies.organization and states.policy_id = covering_policies.policy_id
    left join covering
        on covering.organization = covering_policies.organization
        and covering.repository_id = covering_policies.repository_id
        and covering.branch = covering_policies.branch
        and covering.policy_id = states.policy_id
        and covering.revision = states.revision
),
-- one row per branch and instant at which something may have changed
instants as (
    select organization, repository_id, branch, earliest_from as at from branch_states
    union
    select organization, repository_id, branch, latest_to as at from branch_states where latest_to is not null
    union
    select organization, repository_id, branch, proven_from as at from branch_states where proven_from is not null
    union
    select organization, repository_id, branch, arrow_cast('1970-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') as at from covering_policies
),
-- one row per branch and stretch between two instants
stretches as (
    select
        organization, repository_id, branch, at as from_at,
        lead(at) over (partition by organization, repository_id, branch order by at) as to_at
    from instants
),
-- one row per branch, stretch and policy: in every state that it may have been in, and in one of them
policy_stretches as (
    select
        stretches.organization, stretches.repository_id, stretches.branch, stretches.from_at, stretches.to_at, branch_states.policy_id,
        bool_and(branch_states.is_satisfying and coalesce(branch_states.proven_from <= stretches.from_at, true)) as is_satisfied,
        bool_or(branch_states.is_satisfying) as may_be_satisfied,
        bool_and(branch_states.is_satisfying_strictly and coalesce(branch_states.proven_from <= stretches.from_at, true)) as is_satisfied_strictly,
        bool_or(branch_states.is_satisfying_strictly) as may_be_satisfied_strictly
    from stretches
    left join branch_states
        on branch_states.organization = stretches.organization
        and branch_states.repository_id = stretches.repository_id
        and branch_states.branch = stretches.branch
        and branch_states.earliest_from <= stretches.from_at
        and coalesce(branch_states.latest_to > stretches.from_at, true)
    group by
        stretches.organization, stretches.repository_id, stretches.branch, stretches.from_at, stretches.to_at, branch_states.policy_id
)
select
    organization,
    repository_id,
    branch,
    from_at,
    to_at,
    coalesce(bool_or(is_satisfied), false) as is_satisfied,
    coalesce(bool_or(may_be_satisfied), false) as may_be_satisfied,
    coalesce(bool_or(is_satisfied_strictly), false) as is_satisfied_strictly,
    coalesce(bool_or(may_be_satisfied_strictly), false) as may_be_satisfied_strictly
from policy_stretches
group by organization, repository_id, branch, from_at, to_at
