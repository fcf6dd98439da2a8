-- id: person_names
-- title: Names that a person goes by
-- grain: one row per identity id and name: unique name, mail or principal in lower case, or descriptor; what two identities share makes them one person
-- reads: users, pull_requests, pull_request_reviewers, pull_request_votes
-- slices: none

with
-- one row per user
known_users as (
    select
        organization, identity_id as person_id, descriptor,
        lower(nullif(mail_address, '')) as mail, lower(nullif(principal_name, '')) as principal
    from users
),
-- one row per way in which an identity appears on pull requests; a creator without id is known by name
appearances as (
    select organization, author_id as person_id, author_unique_name as unique_name, author_descriptor as descriptor
    from pull_requests
    group by organization, author_id, author_unique_name, author_descriptor
    union all
    select organization, reviewer_id as person_id, unique_name, descriptor
    from pull_request_reviewers
    where not is_group
    group by organization, reviewer_id, unique_name, descriptor
    union all
    select organization, voter_id as person_id, voter_unique_name as unique_name, voter_descriptor as descriptor
    from pull_request_votes
    where kind = 'vote'
    group by organization, voter_id, voter_unique_name, voter_descriptor
),
-- the same, with the identity
identities as (
    select
        organization, descriptor, lower(nullif(unique_name, '')) as name,
        coalesce(person_id, lower(nullif(unique_name, '')), descriptor) as identity_id
    from appearances
),
-- one row per way in which an identity appears, and name or descriptor by which a user may be known
keyed as (
    select organization, identity_id, name, descriptor, unnest(make_array(descriptor, name)) as known_as
    from identities
),
-- one row per user, and name or descriptor
user_keys as (
    select organization, mail, principal, unnest(make_array(descriptor, mail, principal)) as known_as
    from known_users
),
-- one row per identity, with its names, and those of a user with its descriptor or name
identified as (
    select
        keyed.organization, keyed.identity_id,
        make_array(keyed.name, keyed.descriptor, user_keys.mail, user_keys.principal) as names
    from keyed
    left join user_keys
        on user_keys.organization = keyed.organization
        and user_keys.known_as = keyed.known_as
),
-- one row per identity, way and name
names as (
    select organization, person_id, mail as name from known_users
    union all
    select organization, person_id, principal as name from known_users
    union all
    select organization, person_id, descriptor as name from known_users
    union all
    select organization, identity_id as person_id, unnest(names) as name from identified
)
select organization, person_id, name
from names
where person_id is not null and name is not null and name <> ''
group by organization, person_id, name
