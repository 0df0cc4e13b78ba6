from __future__ import annotations

from kiln.core.ci import GitHubLog, GitLabLog, PlainLog, log_of


def test_a_provider_is_known_by_the_variables_that_it_sets() -> None:
    assert isinstance(log_of({"GITHUB_ACTIONS": "true"}), GitHubLog)
    assert isinstance(log_of({"GITLAB_CI": "true"}), GitLabLog)
    assert isinstance(log_of({}), PlainLog)
    assert PlainLog().begin("compile", 0) == PlainLog().error("x", "a.yaml:1") == ""


def test_an_error_of_a_recipe_is_shown_beside_its_line() -> None:
    log = GitHubLog()
    assert log.error("a, b: 100%\nc", "recipes/toy/recipe.yaml:12") == (
        "::error file=recipes/toy/recipe.yaml,line=12,title=Kiln::a, b: 100%25%0Ac\n"
    )
    assert log.error("x", "a,b.yaml") == "::error file=a%2Cb.yaml,title=Kiln::x\n"
    assert log.error("x", "") == "::error title=Kiln::x\n"


def test_lines_of_others_are_not_obeyed() -> None:
    said = "a.c:1: error\n::error::x\n \t::stop-commands::x\nstd::vector ##[group]"
    safe = GitHubLog().safe(said)
    assert safe == "a.c:1: error\n: :error::x\n \t: :stop-commands::x\nstd::vector ## [group]"


def test_a_part_of_gitlabs_log_has_the_name_that_it_began_with() -> None:
    log = GitLabLog()
    assert log.begin("a b", 12.3) == "\x1b[0Ksection_start:12:kiln_a_b\r\x1b[0Ka b\n"
    assert log.end("a b", 13.9) == "\x1b[0Ksection_end:14:kiln_a_b\r\x1b[0K"
