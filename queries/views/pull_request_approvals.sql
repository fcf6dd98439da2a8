-- id: pull_request_approvals
-- title: Whose approval of a merged pull request counts, and why not
-- grain: one row per merged pull request and person, group or service that approved it at some time or voted against it at the merge
-- reads: standing_votes, people, person_names, pull_requests, pull_request_iterations, pull_request_commits, settings_in_force

-- miss_standard and miss_strict are null where the approval counts under that profile. Else they hold the reason code, of several
-- the one that speaks of the person before the one that speaks of the vote; VOTE_TIME_UNPROVEN and IDENTITY_UNPROVEN mean that
-- only a proof is missing.
with
-- inputs
votes as (select * from standing_votes where vote <> 0 or is_approval_reset or is_approval_late),
completed as (
    select organization, pull_request_id, author_id, lower(author_unique_name) as author_name
    from pull_requests
    where status = 'completed'
),
-- one row per name that several identities share
shared_names as (
    select organization, name, array_agg(person_id) as person_ids, array_agg(person_id) as other_ids
    from person_names
    group by organization, name
    having count(*) > 1
),
-- one row per shared name and identity
sharing_people as (select organization, unnest(person_ids) as person_id, other_ids from shared_names),
-- one row per pair of identities that are one person
same_people as (
    select organization, person_id, other_id
    from (select organization, person_id, unnest(other_ids) as other_id from sharing_people)
    group by organization, person_id, other_id
),
-- one row per list of service identities and person with a name that fits it, whatever other names the person has had
listed_services as (
    select lists.service_identities_json, names.organization, names.person_id
    from (select distinct service_identities_json from settings_in_force where in_scope and service_identities_json <> '[]') as lists
    join person_names as names on path_match(lists.service_identities_json, names.name)
    where regexp_like(names.name, '[@\\ ]')
    group by lists.service_identities_json, names.organization, names.person_id
),
-- one row per iteration that is more than a retarget, and per commit: who made it
contributions as (
    select organization, pull_request_id, pushed_by_id as person_id, lower(pushed_by_unique_name) as name
    from pull_request_iterations
    where lower(coalesce(reason, '')) <> 'retarget'
    union all
    select organization, pull_request_id, null as person_id, lower(author_mail) as name
    from pull_request_commits
),
-- one row per contribution by somebody else than the creator
foreign_contributions as (
    select contributions.organization, contributions.pull_request_id, contributions.person_id, contributions.name
    from contributions
    join completed
        on completed.organization = contributions.organization
        and completed.pull_request_id = contributions.pull_request_id
    where coalesce(contributions.person_id <> completed.author_id, true)
        and coalesce(contributions.name <> completed.author_name, true)
),
-- one row per contribution, with its identity, the other ones of that person, and those that go by its name
identified_contributions as (
    select
        contributions.organization, contributions.pull_request_id,
        make_array(contributions.person_id, same_people.other_id, names.person_id) as person_ids
    from same_people
    right join foreign_contributions as contributions
        on contributions.organization = same_people.organization
        and contributions.person_id = same_people.person_id
    left join person_names as names on names.organization = contributions.organization and names.name = contributions.name
),
-- one row per pull request and identity that contributed
contributors as (
    select organization, pull_request_id, person_id
    from (select organization, pull_request_id, unnest(person_ids) as person_id from identified_contributions)
    where person_id is not null
    group by organization, pull_request_id, person_id
),
-- one row per pull request: when its source and its target last changed; the first iteration is there before any vote
last_changes as (
    select
        organization, pull_request_id,
        max(at) filter (where iteration_id > 1 and lower(coalesce(reason, '')) <> 'retarget') as pushed_at,
        max(at) filter (where strpos(lower(reason), 'retarget') > 0) as retargeted_at
    from pull_request_iterations
    group by organization, pull_request_id
),
-- one row per vote: since when it is known to have stood; null = nobody saw when it was cast
dated as (
    select
        votes.*, last_changes.pushed_at, last_changes.retargeted_at,
        -- a vote that only the list knows is proven by an answer from before the merge that nothing came after
        case
            when votes.has_voted then votes.voted_at
            when votes.vote_while_open >= 5
                and votes.vote_while_open_at >= coalesce(votes.last_reset_at, votes.vote_while_open_at)
                and votes.vote_while_open_at >= coalesce(last_changes.pushed_at, votes.vote_while_open_at)
                then votes.vote_while_open_at
        end as stood_at
    from votes
    left join last_changes
        on last_changes.organization = votes.organization and last_changes.pull_request_id = votes.pull_request_id
),
-- the same, with when it had been cast at the latest: what an answer listed first stood from then on, if no reset came in between
cast_votes as (
    select
        dated.*,
        case when has_voted or stood_at is null then stood_at else coalesce(listed_from_at, stood_at) end as cast_by_at
    from dated
),
-- one row per vote: the facts that speak against it
facts as (
    select
        cast_votes.*, people.display_name, people.unique_name, people.is_guest,
        cast_votes.vote >= 5 as is_approval,
        coalesce(cast_votes.person_id = cast_votes.author_id, false) or same_people.other_id is not null as is_creator,
        coalesce(people.is_service, false) or listed_services.person_id is not null or case
            when cast_votes.service_identities_json = '[]' then false
            else coalesce(path_match(cast_votes.service_identities_json, people.unique_name), false)
        end as is_non_human,
        coalesce(people.is_unproven, true) or cast_votes.author_id is null as is_identity_unproven,
        cast_votes.has_voted and not cast_votes.is_listed as is_reviewer_removed,
        cast_votes.stood_at is null as is_vote_time_unproven,
        coalesce(cast_votes.pushed_at > case when cast_votes.last_reset_at >= cast_votes.pushed_at then cast_votes.stood_at else cast_votes.cast_by_at end, false)
            as is_stale,
        coalesce(
            cast_votes.retargeted_at > case when cast_votes.last_reset_at >= cast_votes.retargeted_at then cast_votes.stood_at else cast_votes.cast_by_at end, false
        ) as is_retargeted,
        contributors.person_id is not null as is_contributor
    from cast_votes
    left join people on people.organization = cast_votes.organization and people.person_id = cast_votes.person_id
    left join listed_services
        on listed_services.organization = cast_votes.organization
        and listed_services.person_id = cast_votes.person_id
        and listed_services.service_identities_json = cast_votes.service_identities_json
    left join same_people
        on same_people.organization = cast_votes.organization
        and same_people.person_id = cast_votes.person_id
        and same_people.other_id = cast_votes.author_id
    left join contributors
        on contributors.organization = cast_votes.organization
        and contributors.pull_request_id = cast_votes.pull_request_id
        and contributors.person_id = cast_votes.person_id
),
-- one row per vote: what rules it out under either profile
misses as (
    select
        facts.*,
        case
            when is_group then 'NO_APPROVAL'
            when not is_approval and not is_approval_late and not is_approval_reset then 'NO_APPROVAL'
            when is_non_human then 'NON_HUMAN_APPROVER'
            when is_creator then 'SELF_APPROVED'
            when has_declined then 'NO_APPROVAL'
            when is_approval then null
            when is_approval_late then 'LATE_APPROVAL'
            else 'APPROVAL_RESET'
        end as miss_standard
    from facts
)
select
    organization,
    repository_id,
    pull_request_id,
    person_id,
    merged_at,
    display_name,
    unique_name,
    vote,
    voted_at,
    miss_standard,
    case
        when miss_standard is not null then miss_standard
        when is_stale then 'STALE_APPROVAL'
        when is_retargeted then 'RETARGETED_AFTER_APPROVAL'
        when is_contributor then 'APPROVER_CONTRIBUTED'
        when is_reviewer_removed then 'REVIEWER_REMOVED'
        when is_vote_time_unproven then 'VOTE_TIME_UNPROVEN'
        when is_identity_unproven then 'IDENTITY_UNPROVEN'
    end as miss_strict,
    vote < 0 and not is_group as is_downvote,
    is_approval and is_vote_time_unproven as is_vote_time_unproven,
    is_approval and is_identity_unproven as is_identity_unproven,
    is_approval and is_reviewer_removed as is_reviewer_removed,
    is_approval and is_stale as is_stale,
    is_approval and is_contributor as is_contributor,
    is_approval and is_retargeted as is_retargeted,
    is_approval and coalesce(is_guest, false) as is_guest
from misses
