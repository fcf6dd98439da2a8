-- Rows of a lake of a million merged pull requests. Each part opens with what it fills: `once` a table of this file alone, `each`
-- the same anew for every chunk of pull requests ($first to $last), `table` a table of the lake (chunk by chunk where it reads `pr`).
-- `opened` and `span` are microseconds. Everything follows from the number n of the pull request, so that the lake is the same each time.

-- once: people
select
    value as person,
    concat_ws('-', substr(hash, 1, 8), substr(hash, 9, 4), substr(hash, 13, 4), substr(hash, 17, 4), substr(hash, 21, 12)) as id,
    concat('Person ', value) as name,
    concat('person', value, '@contoso.example') as unique_name,
    concat('aad.', hash) as descriptor
from (select value, md5(concat('person ', value)) as hash from generate_series(0, 599))

-- once: repos
select
    value as repo,
    concat_ws('-', substr(hash, 1, 8), substr(hash, 9, 4), substr(hash, 13, 4), substr(hash, 17, 4), substr(hash, 21, 12)) as repository_id,
    concat('service-', value) as repository,
    concat('00000000-0000-4000-8000-00000000000', value % 6) as project_id,
    concat('Project ', value % 6) as project,
    concat('https://dev.azure.com/contoso/Project%20', value % 6, '/_git/service-', value) as web_url
from (select value, md5(concat('repository ', value)) as hash from generate_series(0, 47))

-- once: refs
select repos.*, refs.column1 as branch, concat('refs/heads/', refs.column1) as ref_name, refs.column1 = 'main' as is_default
from repos cross join (values ('main'), ('release/1.0')) as refs

-- once: begin
select
    arrow_cast('2024-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') as began_at,
    arrow_cast('2027-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))') as synced_at

-- each: pr
select
    n, hash, made.author, opened, span, to_timestamp_micros(opened) as opened_at, to_timestamp_micros(opened + span) as merged_at,
    to_char(to_timestamp_micros(opened), '%Y-%m') as created_month,
    case when n % 20 = 0 then 'refs/heads/release/1.0' else 'refs/heads/main' end as target_ref,
    concat(hash, '00000000') as source_commit, concat(hash, '11111111') as merge_commit,
    repos.repository_id, repos.project_id, repos.web_url,
    people.id as author_id, people.unique_name as author_unique_name, people.name as author_name, people.descriptor as author_descriptor
from (
    select
        value as n, md5(cast(value as varchar)) as hash, value * 7919 % 600 as author,
        least(value * 31 % 97, value * 17 % 89) % 48 as repo,
        1704067200000000 + value * 93312000 as opened, (120 + value * 37 % 4000) * 60000000 as span
    from generate_series($first, $last)
) as made
join repos on repos.repo = made.repo
join people on people.person = made.author

-- each: reviewing
select pr.*, reviewers.column1 as place, people.id, people.unique_name, people.name, people.descriptor
from pr
cross join (values (1), (2), (3)) as reviewers
join people on people.person = (pr.author + reviewers.column1 * 7 + pr.n % 5) % 600

-- each: runs
select
    pr.*, 2 * n + kinds.column1 as run_id, kinds.column2 as pipeline_id, kinds.column3 as pipeline_name, kinds.column4 as pipeline_folder,
    to_timestamp_micros(opened + cast(span * 0.6 as bigint)) as queued_at,
    case when n % 70 = 0 then merged_at + interval '1 hour' else to_timestamp_micros(opened + cast(span * 0.7 as bigint)) end as finished_at,
    case when n % 60 = kinds.column1 then 'failed' when n % 45 = kinds.column1 then 'partiallySucceeded' else 'succeeded' end as result
from pr
cross join (values (0, 11, 'CodeQL', '\security'), (1, 12, 'integration-tests', '\ci')) as kinds

-- table: projects
select project_id, project as name, 'private' as visibility, 'wellFormed' as state, began_at as first_seen_at
from repos cross join begin group by project_id, project, began_at

-- table: repositories
select
    repository_id, project_id, project, repository as name, web_url, 'main' as default_branch, false as is_fork, false as is_disabled,
    false as is_in_maintenance, began_at as first_seen_at
from repos cross join begin

-- table: branches
select repository_id, branch as name, md5(concat(repo, branch)) as commit_id, is_default, false as is_locked, began_at as first_seen_at
from refs cross join begin

-- table: users
select
    descriptor, id as identity_id, name as display_name, unique_name as mail_address, unique_name as principal_name, 'aad' as origin,
    'user' as subject_kind, case when person % 50 = 0 then 'guest' else 'member' end as meta_type, false as is_service,
    began_at as first_seen_at
from people cross join begin

-- table: branch_policies
select
    repo + 1 as policy_id, 1 as revision, 0 as scope_index, project_id, 'fa4e907d-c16b-4a4c-9dfa-4906e5d171dd' as type_id,
    'Minimum number of reviewers' as type_name, true as is_enabled, repo % 7 <> 0 as is_blocking, false as is_deleted, repository_id,
    case when repo % 2 = 0 then 'refs/heads/main' else 'refs/heads/' end as ref_name,
    case when repo % 2 = 0 then 'Exact' else 'Prefix' end as match_kind, 1 as minimum_approver_count, false as creator_vote_counts,
    repo % 3 = 0 as reset_on_source_push, began_at as first_seen_at, began_at as created_at, began_at as valid_from,
    true as is_valid_from_proven, '{}' as settings_json
from repos cross join begin

-- table: pipelines
select
    project_id, kinds.column1 as pipeline_id, kinds.column2 as name, kinds.column3 as folder, 1 as revision, began_at as first_seen_at
from (select project_id from repos group by project_id) as projects
cross join (values (11, 'CodeQL', '\security'), (12, 'integration-tests', '\ci'), (13, 'build', '\')) as kinds
cross join begin

-- table: sync_runs
select
    'figures' as run_id, read.resource, read.scope, began_at as window_from, synced_at as window_to, 'ok' as status, 1 as requests,
    1 as pages, 1 as rows, 0 as retries, 0.0 as throttled_s, synced_at as started_at, synced_at as finished_at,
    '2027-01' as run_month
from (
    select 'branches' as resource, repository_id as scope from repos
    union all
    select 'pushes' as resource, concat(repository_id, '@', ref_name) as scope from refs
    union all
    select kinds.column1 as resource, project_id as scope
    from (select project_id from repos group by project_id) cross join (values ('branch_policies'), ('pipeline_runs')) as kinds
) as read
cross join begin

-- table: pull_requests
select
    repository_id, n as pull_request_id, project_id, concat('Change ', n, ': make the ', substr(hash, 1, 7), ' retry when it fails') as title,
    'completed' as status, 'succeeded' as merge_status, author_id, author_unique_name, author_descriptor, author_name,
    author_id as closed_by_id, author_unique_name as closed_by_unique_name, author_name as closed_by_name,
    concat('refs/heads/feature/', n, '-retry') as source_ref, target_ref, source_commit, concat(hash, '22222222') as target_commit,
    merge_commit, opened_at as created_at, merged_at as closed_at, false as is_draft, 'squash' as merge_strategy, n % 500 = 0 as bypass_policy,
    concat(web_url, '/pullrequest/', n) as web_url, opened_at as first_seen_at,
    to_timestamp_micros(opened + cast(span * 0.9 as bigint)) as last_seen_open_at, merged_at as completion_thread_at,
    synced_at as details_read_at, case when n % 1000 <> 0 then synced_at end as threads_read_at, synced_at as iterations_read_at,
    synced_at as statuses_read_at, synced_at as evaluations_read_at, synced_at as commits_read_at, created_month
from pr cross join begin

-- table: pull_request_reviewers
select
    repository_id, n as pull_request_id, id as reviewer_id, name as display_name, unique_name, descriptor,
    case when place = 1 and n % 33 <> 0 then 10 when place = 2 then 5 else 0 end as vote, false as is_group, place = 1 as is_required,
    false as has_declined, opened_at as first_seen_at, case when place = 3 and n % 11 = 0 then merged_at end as removed_at,
    0 as vote_while_open, to_timestamp_micros(opened + cast(span * 0.9 as bigint)) as vote_while_open_at, created_month
from reviewing

-- table: pull_request_votes
select
    repository_id, n as pull_request_id, n * 10 + events.column1 as thread_id,
    case when events.column2 = 'reset' then '*' else id end as voter_id, events.column2 as kind,
    case when events.column2 = 'vote' then case when place = 1 and n % 33 = 0 then -10 when place = 2 then 5 else 10 end end as vote,
    case when n % 41 = 0 and events.column1 = 4 then merged_at + interval '1 hour' else to_timestamp_micros(opened + cast(span * events.column4 as bigint)) end as at,
    case when events.column2 = 'vote' then unique_name end as voter_unique_name,
    case when events.column2 = 'vote' then descriptor end as voter_descriptor, id as initiator_id, created_month
from reviewing
join (values (1, 'vote', 1, 0.3), (2, 'reset', 3, 0.5), (3, 'vote', 2, 0.6), (4, 'vote', 1, 0.8)) as events on events.column3 = place

-- table: pull_request_iterations
select
    repository_id, n as pull_request_id, place as iteration_id,
    case when n % 20 = 0 and place = 3 then id else author_id end as pushed_by_id,
    case when n % 20 = 0 and place = 3 then unique_name else author_unique_name end as pushed_by_unique_name,
    n * 3 + place as push_id, to_timestamp_micros(opened + span * (place - 1) / 4) as at,
    case when place = 1 then 'create' when n % 100 = 0 then 'retarget' else 'push' end as reason,
    case when place = 3 then source_commit else concat(hash, '3333333', place) end as source_commit,
    concat(hash, '22222222') as target_commit, concat(hash, '44444444') as common_commit, created_month
from reviewing

-- table: pull_request_commits
select
    repository_id, n as pull_request_id, source_commit as commit_id, author_name, author_unique_name as author_mail, opened_at as authored_at,
    author_name as committer_name, author_unique_name as committer_mail, opened_at as committed_at, created_month
from pr

-- table: pull_request_labels
select
    repository_id, n as pull_request_id, case when n % 300 = 0 then 'emergency' else 'ready' end as name, true as active,
    opened_at as first_seen_at, true as was_seen_open, created_month
from pr where n % 100 = 0

-- table: pull_request_statuses
select
    repository_id, n as pull_request_id, posted.column1 as status_id, posted.column2 as genre, posted.column3 as name,
    case when n % 40 = posted.column1 then 'failed' else posted.column4 end as state, 3 as iteration_id,
    to_timestamp_micros(opened + cast(span * posted.column5 as bigint)) as created_at, to_timestamp_micros(opened + cast(span * posted.column5 as bigint)) as updated_at, 'Scanner' as created_by,
    'See the report' as description, concat('https://status.example/report/', n, '?a=1&b=', posted.column1) as target_url,
    opened_at as first_seen_at, created_month
from pr
cross join (values
    (1, 'snyk', 'open-source', 'pending', 0.55), (2, 'snyk', 'open-source', 'succeeded', 0.6), (3, 'sonarcloud', 'quality gate', 'succeeded', 0.65)
) as posted

-- table: pull_request_policy_evaluations
select
    md5(concat(n, ' ', run_id)) as evaluation_id, repository_id, n as pull_request_id, pipeline_id * 100 as policy_id, 1 as policy_revision,
    '0609b952-1397-4640-95ec-e00a01b2c241' as policy_type_id, true as is_blocking, pipeline_id as build_definition_id,
    case when result = 'failed' then 'rejected' else 'approved' end as status, queued_at as started_at, finished_at as completed_at,
    run_id as build_id, source_commit, merge_commit, false as is_expired, opened_at as first_seen_at, created_month
from runs
union all
select
    md5(concat(n, ' reviewers')) as evaluation_id, repository_id, n as pull_request_id, 1 as policy_id, 1 as policy_revision,
    'fa4e907d-c16b-4a4c-9dfa-4906e5d171dd' as policy_type_id, true as is_blocking, null as build_definition_id, 'approved' as status,
    opened_at as started_at, merged_at as completed_at, null as build_id, null as source_commit, null as merge_commit, null as is_expired,
    opened_at as first_seen_at, created_month
from pr

-- table: pipeline_runs
select
    run_id, project_id, pipeline_id, pipeline_name, pipeline_folder, repository_id, 'TfsGit' as repository_type, cast(run_id as varchar) as build_number,
    'pullRequest' as reason, 'completed' as status, result, concat('refs/pull/', n, '/merge') as source_branch, concat(hash, '55555555') as source_version,
    n as pull_request_id, 3 as pull_request_iteration, concat('refs/heads/feature/', n, '-retry') as pull_request_source_branch,
    case when n % 90 = 0 then concat(hash, '33333332') else source_commit end as pull_request_source_commit, queued_at, queued_at as started_at,
    finished_at, author_unique_name as requested_for, concat('https://dev.azure.com/contoso/_build/results?buildId=', run_id) as url,
    finished_at as first_seen_at, to_char(queued_at, '%Y-%m') as queued_month
from runs

-- table: pipeline_run_finishes
select run_id, finished_at, result, finished_at as first_seen_at, to_char(queued_at, '%Y-%m') as queued_month from runs
union all
select run_id, finished_at + interval '1 day' as finished_at, 'succeeded' as result, finished_at as first_seen_at, to_char(queued_at, '%Y-%m') as queued_month
from runs where n % 200 = 0

-- table: pushes
select
    repository_id, n * 2 as push_id, target_ref as ref_name, author_id as pushed_by_id, author_unique_name as pushed_by_unique_name, merged_at as at,
    concat(hash, '66666666') as old_commit, merge_commit as new_commit, 'update' as kind, null as pull_request_ids, merged_at as first_seen_at,
    to_char(merged_at, '%Y-%m') as pushed_month
from pr
union all
select
    repository_id, n * 2 + 1 as push_id, target_ref as ref_name, author_id as pushed_by_id, author_unique_name as pushed_by_unique_name, merged_at as at,
    concat(hash, '66666666') as old_commit, concat(hash, '77777777') as new_commit, 'update' as kind, '' as pull_request_ids, merged_at as first_seen_at,
    to_char(merged_at, '%Y-%m') as pushed_month
from pr where n % 5000 = 0
