-- id: people
-- title: Who reviews and votes
-- grain: one row per identity id that is or was a reviewer or has voted
-- reads: users, pull_request_reviewers, pull_request_votes
-- slices: none

-- The descriptor is the reviewer's own, else that of a vote thread, else that of the user with the identity id or descriptor.
with
-- one row per reviewer and voter, as reviewer lists and vote threads name them
reviewers as (
    select
        organization, reviewer_id as person_id, max(display_name) as display_name,
        max(nullif(unique_name, '')) as unique_name, max(nullif(descriptor, '')) as descriptor
    from pull_request_reviewers
    group by organization, reviewer_id
),
voters as (
    select
        organization, voter_id as person_id,
        max(nullif(voter_unique_name, '')) as unique_name, max(nullif(voter_descriptor, '')) as descriptor
    from pull_request_votes
    where kind = 'vote'
    group by organization, voter_id
),
named as (
    select
        coalesce(reviewers.organization, voters.organization) as organization,
        coalesce(reviewers.person_id, voters.person_id) as person_id,
        reviewers.display_name,
        coalesce(reviewers.unique_name, voters.unique_name) as unique_name,
        coalesce(reviewers.descriptor, voters.descriptor) as descriptor
    from reviewers
    full join voters on voters.organization = reviewers.organization and voters.person_id = reviewers.person_id
),
-- one row per user
known_users as (
    select
        organization, identity_id, descriptor, display_name,
        coalesce(nullif(principal_name, ''), nullif(mail_address, '')) as unique_name,
        is_service or coalesce(lower(subject_kind) = 'serviceprincipal', false) as is_service,
        coalesce(lower(meta_type) = 'guest', false) as is_guest
    from users
),
-- one row per identity id of a user
identities as (
    select
        organization, identity_id, min(descriptor) as descriptor, min(display_name) as display_name, min(unique_name) as unique_name,
        bool_or(is_service) as is_service, bool_or(is_guest) as is_guest
    from known_users
    where identity_id is not null
    group by organization, identity_id
),
-- one row per reviewer or voter
described as (
    select
        named.organization, named.person_id,
        coalesce(named.display_name, by_id.display_name, by_descriptor.display_name) as display_name,
        coalesce(named.unique_name, by_id.unique_name, by_descriptor.unique_name) as unique_name,
        coalesce(named.descriptor, by_id.descriptor) as descriptor,
        coalesce(by_id.is_service, false) or coalesce(by_descriptor.is_service, false) as is_service,
        coalesce(by_id.is_guest, false) or coalesce(by_descriptor.is_guest, false) as is_guest
    from named
    left join identities as by_id on by_id.organization = named.organization and by_id.identity_id = named.person_id
    left join known_users as by_descriptor
        on by_descriptor.organization = named.organization and by_descriptor.descriptor = named.descriptor
)
select
    organization,
    person_id,
    display_name,
    unique_name,
    descriptor,
    is_service
        or coalesce(split_part(lower(descriptor), '.', 1) in ('svc', 's2s', 'acs', 'aadsp'), false)
        or coalesce(regexp_like(unique_name, '^build\\[0-9a-f-]{32,36}$', 'i'), false) as is_service,
    is_guest,
    descriptor is null and unique_name is null as is_unproven
from described
