-- id: pull_request_approvals
-- title: Whose approval of a merged pull request counts, and why not
-- grain: one row per merged pull request and person, group or service that approved it at some time or voted against it at the merge
-- reads: merged_pull_requests, standing_votes, pull_request_iterations, pull_request_commits, users

-- miss_standard and miss_strict are null where the approval counts under that profile. Else they hold the reason code, of several
-- the one that speaks of the person before the one that speaks of the vote; VOTE_TIME_UNPROVEN and IDENTITY_UNPROVEN mean that
-- only a proof is missing.
with
-- inputs
merged as (
    select
        organization, repository_id, pull_request_id, author_id, service_identities_json,
        lower(nullif(author_unique_name, '')) as author_unique_name,
        nullif(author_descriptor, '') as author_descriptor
    from merged_pull_requests
),
votes as (select * from standing_votes where vote <> 0 or is_approval_reset or is_approval_late),
-- one row per user, names comparable
known_users as (
    select
        organization, descriptor, identity_id,
        lower(nullif(mail_address, '')) as mail, lower(nullif(principal_name, '')) as principal,
        is_service or coalesce(subject_kind = 'servicePrincipal', false) as is_service,
        coalesce(lower(meta_type) = 'guest', false) as is_guest
    from users
),
-- one row per identity id
identities as (
    select
        organization, identity_id, min(descriptor) as descriptor, min(mail) as mail, min(principal) as principal,
        bool_or(is_service) as is_service, bool_or(is_guest) as is_guest
    from known_users where identity_id is not null
    group by organization, identity_id
),
-- one row per name that a user goes by: whose it is
named_identities as (
    select organization, name, min(identity_id) as identity_id
    from (
        select organization, mail as name, identity_id from known_users where mail is not null
        union all
        select organization, principal as name, identity_id from known_users where principal is not null
    )
    group by organization, name
),
-- one row per iteration that is more than a retarget, and per commit: who made it
contributions as (
    select organization, repository_id, pull_request_id, pushed_by_id as person_id, lower(nullif(pushed_by_unique_name, '')) as name
    from pull_request_iterations
    where lower(coalesce(reason, '')) <> 'retarget'
    union all
    select commits.organization, commits.repository_id, commits.pull_request_id, named_identities.identity_id as person_id, lower(commits.author_mail) as name
    from pull_request_commits as commits
    left join named_identities
        on named_identities.organization = commits.organization
        and named_identities.name = lower(commits.author_mail)
),
-- one row per pull request with contributors beside its creator
contributors as (
    select
        contributions.organization, contributions.repository_id, contributions.pull_request_id,
        array_agg(contributions.person_id) filter (where contributions.person_id is not null) as person_ids,
        array_agg(contributions.name) filter (where contributions.name is not null) as names
    from contributions
    join merged
        on merged.organization = contributions.organization
        and merged.repository_id = contributions.repository_id
        and merged.pull_request_id = contributions.pull_request_id
    where (contributions.person_id is distinct from merged.author_id)
        and (contributions.name is distinct from merged.author_unique_name)
    group by contributions.organization, contributions.repository_id, contributions.pull_request_id
),
-- one row per pull request: when its source and its target last changed
last_changes as (
    select
        organization, repository_id, pull_request_id,
        max(at) filter (where lower(coalesce(reason, '')) <> 'retarget') as pushed_at,
        max(at) filter (where strpos(lower(reason), 'retarget') > 0) as retargeted_at
    from pull_request_iterations
    group by organization, repository_id, pull_request_id
),
-- one row per vote: who cast it, as far as the reviewer, the vote thread and the users tell
voters as (
    select
        votes.*, merged.service_identities_json, merged.author_id, merged.author_descriptor,
        coalesce(votes.descriptor, by_id.descriptor) as known_descriptor,
        coalesce(votes.reviewer_unique_name, votes.voter_unique_name, by_id.principal, by_descriptor.principal) as unique_name,
        lower(votes.reviewer_unique_name) as reviewer_name,
        lower(votes.voter_unique_name) as voter_name,
        coalesce(by_id.mail, by_descriptor.mail) as mail,
        coalesce(by_id.principal, by_descriptor.principal) as principal,
        merged.author_unique_name,
        coalesce(author.mail, described_author.mail) as author_mail,
        coalesce(author.principal, described_author.principal) as author_principal,
        coalesce(by_id.is_service, by_descriptor.is_service, false) as is_service,
        coalesce(by_id.is_guest, by_descriptor.is_guest, false) as is_guest
    from votes
    join merged
        on merged.organization = votes.organization
        and merged.repository_id = votes.repository_id
        and merged.pull_request_id = votes.pull_request_id
    left join identities as by_id on by_id.organization = votes.organization and by_id.identity_id = votes.person_id
    left join known_users as by_descriptor on by_descriptor.organization = votes.organization and by_descriptor.descriptor = votes.descriptor
    left join identities as author on author.organization = merged.organization and author.identity_id = merged.author_id
    left join known_users as described_author
        on described_author.organization = merged.organization and described_author.descriptor = merged.author_descriptor
),
-- one row per vote: since when it is known to have stood; null = nobody saw when it was cast
dated as (
    select
        voters.*, last_changes.pushed_at, last_changes.retargeted_at,
        -- a vote that only the list knows is proven by an answer from before the merge that nothing came after
        case
            when voters.has_voted then voters.voted_at
            when voters.vote_while_open >= 5
                and voters.vote_while_open_at >= coalesce(voters.last_reset_at, voters.vote_while_open_at)
                and voters.vote_while_open_at >= coalesce(last_changes.pushed_at, voters.vote_while_open_at)
                then voters.vote_while_open_at
        end as stood_at
    from voters
    left join last_changes
        on last_changes.organization = voters.organization
        and last_changes.repository_id = voters.repository_id
        and last_changes.pull_request_id = voters.pull_request_id
),
-- one row per vote: the facts that speak against it
facts as (
    select
        voters.*,
        voters.vote >= 5 as is_approval,
        -- the same person by identity, descriptor or any name
        coalesce(voters.person_id = voters.author_id, false)
            or coalesce(voters.known_descriptor = voters.author_descriptor, false)
            or coalesce(voters.reviewer_name in (voters.author_unique_name, voters.author_mail, voters.author_principal), false)
            or coalesce(voters.voter_name in (voters.author_unique_name, voters.author_mail, voters.author_principal), false)
            or coalesce(voters.mail in (voters.author_unique_name, voters.author_mail, voters.author_principal), false)
            or coalesce(voters.principal in (voters.author_unique_name, voters.author_mail, voters.author_principal), false) as is_creator,
        voters.is_service
            or coalesce(split_part(lower(voters.known_descriptor), '.', 1) in ('svc', 's2s', 'acs', 'aadsp'), false)
            or coalesce(regexp_like(voters.unique_name, '^build\\[0-9a-f-]{32,36}$', 'i'), false)
            or case
                when voters.service_identities_json = '[]' then false
                else coalesce(path_match(voters.service_identities_json, voters.unique_name), false)
            end as is_non_human,
        voters.known_descriptor is null and voters.unique_name is null as is_identity_unproven,
        voters.has_voted and not voters.is_listed as is_reviewer_removed,
        voters.stood_at is null as is_vote_time_unproven,
        coalesce(voters.pushed_at > voters.stood_at, false) as is_stale,
        coalesce(voters.retargeted_at > voters.stood_at, false) as is_retargeted,
        coalesce(array_has(contributors.person_ids, voters.person_id), false)
            or coalesce(array_has(contributors.names, voters.reviewer_name), false)
            or coalesce(array_has(contributors.names, voters.voter_name), false)
            or coalesce(array_has(contributors.names, voters.mail), false)
            or coalesce(array_has(contributors.names, voters.principal), false) as is_contributor
    from dated as voters
    left join contributors
        on contributors.organization = voters.organization
        and contributors.repository_id = voters.repository_id
        and contributors.pull_request_id = voters.pull_request_id
),
-- one row per vote: what rules it out under either profile
misses as (
    select
        facts.*,
        case
            when is_group then 'NO_APPROVAL'
            when not is_approval and not is_approval_late and not is_approval_reset then 'NO_APPROVAL'
            when is_creator then 'SELF_APPROVED'
            when is_non_human then 'NON_HUMAN_APPROVER'
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
    is_approval and is_guest as is_guest
from misses
