-- id: touched_paths
-- title: Solutions with paths that a pull request touches
-- grain: one row per pull request and solution with paths, where the changed paths of the pull request are known
-- reads: pull_request_changes, solution_selectors

select
    changes.organization, changes.pull_request_id, selectors.kind, selectors.solution_index,
    bool_or(
        path_match(lower(selectors.paths_json), lower(ltrim(changes.path, '/')))
        or coalesce(path_match(lower(selectors.paths_json), lower(ltrim(changes.original_path, '/'))), false)
    ) as is_touched
from solution_selectors as selectors
join pull_request_changes as changes
    on changes.organization = selectors.organization
    and changes.repository_id = selectors.repository_id
where selectors.paths_json is not null
group by changes.organization, changes.pull_request_id, selectors.kind, selectors.solution_index
