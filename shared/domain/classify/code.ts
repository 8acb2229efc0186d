import { destructive, type Finding, read, shown, write } from './finding.ts'
import { judgeWrittenPath, type Place } from './paths.ts'
import { isBlank, isKnown } from './unknown.ts'

/** How an interpreter takes code from its arguments. */
export interface Interpreter {
  readonly names: readonly string[]
  readonly codeOptions: readonly string[]
  readonly valueOptions: readonly string[]
  /** Backticks run a program in this language. */
  readonly backticksRun?: true
}

export const INTERPRETERS: readonly Interpreter[] = [
  { names: ['python', 'pypy', 'ipython', 'python2'], codeOptions: ['-c'], valueOptions: ['-W', '-X', '-m'] },
  { names: ['node', 'nodejs', 'bun', 'tsx', 'ts-node', 'deno'], codeOptions: ['-e', '--eval', '-p', '--print', '-pe'],
    valueOptions: ['-r', '--require', '--import', '--loader', '-C'] },
  { names: ['perl'], codeOptions: ['-e', '-E'], valueOptions: ['-I', '-M', '-F'], backticksRun: true },
  { names: ['ruby'], codeOptions: ['-e'], valueOptions: ['-r', '-I', '-C'], backticksRun: true },
  { names: ['php'], codeOptions: ['-r', '-B', '-R', '-E'], valueOptions: ['-d', '-c'], backticksRun: true },
  { names: ['lua', 'luajit'], codeOptions: ['-e'], valueOptions: ['-l'] },
  { names: ['rscript', 'Rscript', 'R', 'julia', 'elixir', 'scala', 'groovy', 'guile', 'swift', 'jshell', 'osascript', 'erl'],
    codeOptions: ['-e', '--eval', '-eval'], valueOptions: ['-l'] },
  { names: ['tclsh', 'wish'], codeOptions: [], valueOptions: [] },
  { names: ['iex', 'irb', 'ghci', 'scala-cli'], codeOptions: ['-e', '--eval'], valueOptions: ['-S', '-r'] },
  { names: ['zx'], codeOptions: ['-e', '--eval'], valueOptions: [], backticksRun: true },
  { names: ['pwsh', 'powershell'], codeOptions: ['-c', '-Command', '-command', '-C'], valueOptions: ['-File'] },
]

const REMOVES = new RegExp(
  String.raw`\b(rmtree|removedirs|remove_tree|rm_rf|rm_r|rm_f|unlink|unlinkSync|rmSync|rmdir|rmdirSync|removeSync|emptyDir\w*|`
  + String.raw`rimraf|shred|send2trash|truncate|truncateSync|ftruncate|Remove-Item|Clear-Content|Stop-Process|Stop-Computer|`
  + String.raw`Format-Volume|dropDatabase|dropTables?|drop_all|drop_table|delete_all|destroy_all|deleteMany|deleteFile|`
  + String.raw`FLUSHALL|flushall|flushdb|rmall|erase)\b`
  + String.raw`|\bfrom\s+(os|shutil|pathlib|subprocess)\s+import\s+[^;\n]*(\b(remove\w*|unlink|rm\w*|truncate|replace|kill\w*)\b|\*)`
  + String.raw`|\b(os|fs|fsp|fsPromises|promises|Deno|File|Dir|FileUtils|FileSystem|io|shutil|file)\s*\.\s*(rm|rm\w*|remove\w*|delete\w*)\b`
  + String.raw`|\b(deleteDir|deleteRecursively|deleteTree|deleteOnExit|delete_dir|delete_file)\b|\bfile\s+delete\b|(^|[^.\w$])rm\s*\(\s*["']|\bundef\s+\$_`
  + String.raw`|\b(import|const|let|var)\s*\{[^}]*\b(rm|rmdir|unlink|truncate|rmSync|unlinkSync)\b[^}]*\}\s*(=\s*(await\s+)?(require|import)\s*\(\s*|from\s*)['"](node:)?fs`
  + String.raw`|\bopen\s*\([^()]*,\s*['"]wb?['"]\s*\)\s*\.close\(|(writeFile(Sync)?|file_put_contents|File\.write|IO\.write)\s*\(\s*['"][^'"]*['"]\s*,\s*(''|"")|write_text\(\s*(''|"")\s*\)`
  + String.raw`|\.(prune|purge|terminate)\s*\(|\.(drop|delete|remove|destroy|purge|truncate|terminate|wipe)(_\w*)?_?(all|database|db|table|collection|index|bucket|user|many|stack|instance|container|volume|file|dir|tree|key|object|snapshot|queue|topic|branch|repo)(s|es|_\w+)?\s*\(`
  + String.raw`|\.(drop|delete|remove|destroy|purge|truncate|terminate|wipe)(All|Database|Db|Table|Collection|Index|Bucket|User|Many|Stack|Instance|Container|Volume|File|Dir|Tree|Key|Object|Snapshot|Queue|Topic|Branch|Repo)\w*\s*\(`
  + String.raw`|\bempty (the )?trash\b|\btell application "(Finder|System Events)" to (delete|shut|restart|log out|move|sleep)`
  + String.raw`|\.(delete|remove_dir|rmtree|drop)\s*\(\s*\)|\.rm\s*\(|\b(requests|axios|http|httpx|client|session)\.delete\s*\(`
  + String.raw`|method\s*[:=]\s*['"]DELETE|Net::HTTP::Delete|file\.remove|(^|\W)delete\s+file`, 'm')

/** PowerShell's short names. */
const REMOVES_SHORT = /(^|[;|({]\s*)(ri|rm|rmdir|del|rd|erase|clc|spps|kill)\s|\b(Remove|Stop|Clear|Disable|Uninstall|Reset|Restart|Unregister|Revoke|Format|Dismount)-[A-Z]\w+/im

const RUNS = new RegExp(
  String.raw`\b(subprocess|child_process|popen\w*|Popen|execSync|execFile\w*|execl\w*|execv\w*|spawn\w*|shell_exec|passthru|`
  + String.raw`proc_open|pcntl_exec|qx|fork|posix_spawn|execa|Invoke-Expression|iex|Start-Process|Open3|getoutput|`
  + String.raw`do shell script|kill|killpg|process\.dlopen)\b`
  + String.raw`|(?<!platform\.)\bsystem\s*\(\s*[^)\s]|\bcreate_subprocess_\w+|\b(system|exec)\s+qw\b|\b(Kernel|Process)\.(exec|spawn|system|fork)\b|\bsystem\s*(%[wWqQ]?[[({<]|\s["'$@])|\bfrom\s+(os|subprocess|pty|shutil)\s+import\s+[^;\n]*\b(system|popen|exec\w*|spawn\w*|run|call|check_\w+)\b|(?<![.\w])exec\s*[("'\s]\s*["'([\w$]|\bos\.(system|exec\w+)|%x[{([]|`
  + String.raw`Deno\.(run|Command)|Bun\.(\$|spawn)|os\.execute|open\s*\(?[^;]*["'][|]|\|\s*["']\s*[,)]`)

const HIDES = new RegExp(
  String.raw`\b(eval|__import__|importlib|getattr|setattr|globals|__builtins__|marshal|pickle|ctypes|runpy|execfile|instance_eval|`
  + String.raw`class_eval|base64_decode|create_function|call_user_func|assert|fromCharCode|DownloadString)\s*[(.[\s]`
  + String.raw`|(?<!re\.|regex\.)\bcompile\s*\(|\bnew\s+Function\b|\bFunction\s*\(|\brequire\s*\(\s*([^'"\s)]|('[^']*'|"[^"]*")\s*[+])|\bimport\s*\(\s*[^'"\s]`
  + String.raw`|\[[^\][]*['"][^\][]*\+[^\][]*\]\s*\(|\[\s*['"]\w+['"]\s*\]\s*\(|\\x[0-9a-fA-F]{2}|\\u00[0-9a-fA-F]{2}|process\.binding|\bvm\.`
  + String.raw`|\bsend\s*\(?\s*:|-(enc|EncodedCommand)\b`)

const WRITES = new RegExp(
  String.raw`\bopen\s*\([^)]*['"](\w*[wax+]\w*|>+)['"]|write|Write|mkdir|makedirs|rename|replace\s*\(|\bmove\b|copy|symlink|chmod|chown|`
  + String.raw`append|save|dump\s*\(|to_csv|to_json|touch|utime|Set-Content|Out-File|Add-Content|New-Item|file_put_contents|connect|urlopen|`
  + String.raw`fetch|request|socket|post|put\b|install|>\s*["'/\w]`, 'i')

const DESTRUCTIVE_SQL =
  /\b(drop\s+(table|database|schema|view|index|column|user|role)\b|truncate\s+(table\s+)?\w|delete\s+from\s+[\w."`]+\s*(['"`;)]|$)|update\s+[\w.]+\s+set\s+[^'"]*(['"]|$))/i
const HAS_WHERE = /\bwhere\b/i

const HARMLESS_CALLS = new Set((
  'print len sum min max sorted range list dict set tuple str int float bool repr enumerate zip map filter join split strip '
  + 'rstrip lstrip splitlines format keys values items get load loads dumps read readline readlines log error stringify parse upper lower '
  + 'round abs any all type isinstance exit toString slice includes indexOf concat reduce forEach entries now Date time sleep '
  + 'toISOString version random sqrt pow floor ceil puts p say printf echo hexdigest digest sha256 md5 encode decode hex '
  + 'readFileSync existsSync statSync readdirSync exists isfile isdir getcwd cwd listdir require startswith endswith startsWith '
  + 'endsWith toUpperCase toLowerCase trim match test sort reverse push length keys uptime platform system node machine '
  + 'python_version find findall search sub group escape urlencode quote unquote if for while and or not in is return else elif '
  + 'open next iter input argv count index pop Object Array String Number Math console Counter most_common defaultdict pprint '
  + 'basename dirname abspath resolve isoformat strftime today fromtimestamp resolveSync each select reject first last size chomp'
).split(' '))

const onlyHarmlessCalls = (code: string): boolean => {
  for (const [, name] of code.matchAll(/([A-Za-z_$]\w*)\s*\(/g)) {
    if (!HARMLESS_CALLS.has(name ?? '')) return false
  }
  return true
}

/** One call that prints one text with nothing worked out in it, or the lines that match one pattern. */
const PRINTS_TEXT = /^\s*(?:(?:console\.(?:log|error)|print|puts|say|echo|p)\s*\(?\s*(?:"(?:[^"\\`$#@]|\\[nt])*"|'[^'\\`]*')\s*\)?|(?:print|say)(?: \$_)?\s+(?:if|unless)\s+\/[\w\s|.*+^$-]*\/i?)\s*;?\s*$/

/** What a piece of code in another language does, judged by the names it uses. Promises linear time. */
export const judgeCode = (code: string, program: string, backticksRun: boolean, place: Place): Finding => {
  const label = `${program}: ${shown(code, 60)}`
  if (isBlank(code) && !isKnown(code)) {
    return destructive(`${program}: runs code that cannot be seen`)
  }
  if (code.length > 20_000) return destructive(`${program}: runs more code than can be judged`)
  if (PRINTS_TEXT.test(code)) return read(`${label}: only prints`)
  if (REMOVES.test(code) || (/^(pwsh|powershell)$/.test(program) && REMOVES_SHORT.test(code))) return destructive(`${label}: removes or ends something`)
  if (RUNS.test(code) || (backticksRun && code.includes('`'))) return destructive(`${label}: runs another program`)
  if (HIDES.test(code) || (program === 'php' && /\$\w+\s*\(/.test(code))) return destructive(`${label}: its effect cannot be told from the code`)
  if (DESTRUCTIVE_SQL.test(code) && (!HAS_WHERE.test(code) || /\b(drop|truncate)\s/i.test(code))
    && /execut|query|cursor|(?<!\.)sql|\.run\(|\.exec\(/i.test(code)) return destructive(`${label}: destroys data in a database`)
  if (!WRITES.test(code)) {
    return isKnown(code) && onlyHarmlessCalls(code) ? read(`${label}: only reads and prints`) : write(`${label}: runs code`)
  }
  for (const [, , path] of code.matchAll(/(['"`])([^'"`\n]{1,400})\1/g)) {
    if (path === undefined || !/^[~/.\w]/.test(path) || /\s/.test(path) || /^\w+$/.test(path)) continue
    const finding = judgeWrittenPath(path, place)
    if (finding.class === 'destructive') return finding
  }
  return write(`${label}: runs code that writes`)
}

/** What an awk program does. */
export const judgeAwk = (code: string): Finding => {
  const label = `awk: ${shown(code, 60)}`
  if (!isKnown(code) && isBlank(code)) return destructive(`${label}: a program that cannot be seen`)
  if (/\bsystem\s*\(|\|&?\s*(getline|["(\w])|["\w)]\s*\|\s*getline/.test(code)) return destructive(`${label}: runs another program`)
  if (/\bprintf?\b[^;}\n]*>\s*["(\w]/.test(code)) return write(`${label}: writes files`)
  return read(`${label}: only reads and prints`)
}

/** What a sed script does besides printing; null when nothing. */
export const judgeSed = (script: string): Finding | null => {
  const label = `sed: ${shown(script, 60)}`
  if (/(^|[;{}\n])\s*(\d+|\$|\/[^/\n]*\/)?\s*e(\s|$)/.test(script)) return destructive(`${label}: runs another program`)
  const substitution = /(?:^|[;{}\n\d$/ ])s([^\w\s\\])(?:\\.|(?!\1)[^\\]){0,2000}\1(?:\\.|(?!\1)[^\\]){0,2000}\1([a-zA-Z0-9]*)/.exec(script)
  if (substitution?.[2]?.includes('e')) return destructive(`${label}: runs another program`)
  if (substitution?.[2]?.includes('w') || /(^|[;{}\n])\s*(\d+|\$|\/[^/\n]*\/)?\s*[wW]\s+\S/.test(script)) {
    return write(`${label}: writes a file`)
  }
  return null
}
