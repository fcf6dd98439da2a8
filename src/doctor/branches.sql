-- one row per repository in scope and production branch pattern, null where none is set, and how many branches fit
select
    settings.project, settings.repository, settings.repository_id, patterns.pattern, coalesce(patterns.is_glob, false) as is_glob,
    repositories.default_branch, coalesce(repositories.is_disabled, false) as is_disabled, count(branches.name) as fits
from settings_in_force as settings
left join repositories
    on repositories.organization = settings.organization
    and repositories.repository_id = settings.repository_id
left join production_branches_in_force as patterns
    on patterns.organization = settings.organization
    and patterns.repository_id = settings.repository_id
left join branches
    on branches.organization = patterns.organization
    and branches.repository_id = patterns.repository_id
    and glob_match(patterns.pattern, branches.name)
where settings.in_scope
group by
    settings.project, settings.repository, settings.repository_id, patterns.pattern_index, patterns.pattern, patterns.is_glob,
    repositories.default_branch, repositories.is_disabled
order by settings.project, settings.repository, settings.repository_id, patterns.pattern_index
