const DESTROYS = new Set((
  'del delete deleteall rm rmr remove destroy purge drop wipe erase truncate terminate revoke abandon strip obliterate prune flush flushall expunge nuke shred '
  + 'uninstall unpublish yank rollback undeploy teardown decommission deregister unregister reset stopall unmerge'
).split(' '))
const RELEASES = new Set('publish deploy release promote submit retire'.split(' '))

/** `delete-job`, `db:drop`, `DeleteInstance`, `permanent-delete` → their words, in lower case. */
const partsOf = (word: string): string[] => word.slice(0, 200).replace(/([a-z])([A-Z])/g, '$1-$2').toLowerCase().split(/[-_.:/]+/)

/** Whether a subcommand's own name says that it destroys, or brings something into the world. A path or an address is no subcommand. */
export const saysDestroys = (word: string): boolean =>
  !/[\\~=@*?]|^[./]|\/.*\/|\.\w{1,5}$|^\d/.test(word) && partsOf(word).some((part) => DESTROYS.has(part))
export const saysReleases = (word: string): boolean => partsOf(word).some((part) => RELEASES.has(part)) && /^[\w:.-]+$/.test(word) && !/\.\w{1,5}$/.test(word)
