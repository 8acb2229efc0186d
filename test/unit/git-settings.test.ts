import { expect, test } from 'vitest'
import { settingsThatRun } from '../../shared/domain/git-settings.ts'

const OWN = '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n'

test('settings as git init, clone, branch and submodule write them run nothing', () => {
  const more = '[remote "origin"]\n\turl = /a/b\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n[branch "main"]\n\tremote = origin\n\tmerge = refs/heads/main\n[submodule "a/b"]\n\tactive = true\n\turl = x\n'
  expect(settingsThatRun(`# a comment\n${OWN}${more}[extensions]\n\tworktreeConfig = true\n`)).toEqual([])
})

test.each([
  ['fsmonitor', `${OWN}\tfsmonitor = ./evil\n`, ['core.fsmonitor']],
  ['in capitals', '[CORE]\n\tHooksPath = x\n', ['core.hookspath']],
  ['on the line of its section', '[core] fsmonitor = x\n', ['a line that is not as git writes it']],
  ['a filter', '[filter "x"]\n\tclean = evil\n', ['filter.clean']],
  ['an included file', '[include]\n\tpath = ../more\n', ['include.path']],
  ['an included file on a condition', '[includeIf "gitdir:/"]\n\tpath = ../more\n', ['includeif.path']],
  ['an alias', '[alias]\n\tst = !evil\n', ['alias.st']],
  ['how a submodule is updated', '[submodule "x"]\n\tupdate = !evil\n', ['submodule.update']],
  ['what is to run at the other end', '[remote "x"]\n\tuploadpack = evil\n', ['remote.uploadpack']],
  ['a line that goes on', '[core]\n\tworktree = a\\\n\tb\n', ['a line that is not as git writes it', 'core.b']],
  ['a harmless name in another section', '[credential "x"]\n\turl = y\n', ['credential.url']],
  ['the section with a dot', '[core.x]\n\tbare = true\n', ['a line that is not as git writes it']],
  ['without a section', 'bare = true\n', ['a line that is not as git writes it']],
])('%s is found', (_, text, found) => expect(settingsThatRun(text)).toEqual(found))
