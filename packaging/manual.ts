// Manual pages and completion, from the command line itself: what --help says is what they say.

import type { Command } from 'commander'

function roff(text: string): string {
  return text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/gm, '\\&$1')
}

/** A description as a sentence. */
function sentence(command: Command): string {
  const text = command.description()
  return roff(`${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`)
}

function isShown(command: Command): boolean {
  return command.name() !== 'help'
}

/** What was added behind the help, such as examples. */
function afterHelp(command: Command): string {
  let whole = ''
  const before = command.configureOutput()
  command.configureOutput({ ...before, writeOut: (text) => (whole += text) })
  command.outputHelp()
  command.configureOutput(before)
  return whole.slice(command.helpInformation().length).trim()
}

function path(command: Command): string {
  return command.parent === null ? command.name() : `${path(command.parent)} ${command.name()}`
}

function optionsOf(command: Command): string[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap((option) => {
      const fallback =
        option.defaultValue === undefined || Array.isArray(option.defaultValue) ? '' : ` Default ${String(option.defaultValue)}.`
      return ['.TP', `.B ${roff(option.flags)}`, roff(`${option.description}.${fallback}`)]
    })
}

function sectionOf(command: Command): string[] {
  const more = afterHelp(command)
  return [
    `.SS "${roff(`${path(command)} ${command.usage()}`)}"`,
    sentence(command),
    ...command.registeredArguments.flatMap((argument) => ['.TP', `.I ${roff(argument.name())}`, roff(argument.description || 'see above')]),
    ...optionsOf(command),
    ...(more === '' ? [] : ['.PP', '.nf', roff(more), '.fi']),
  ]
}

function page(name: string, what: string, date: string, version: string, body: readonly string[]): string {
  const head = [
    `.TH ${name.toUpperCase().replace(/-/g, '\\-')} 1 "${date}" "Loghop ${version}" "User Commands"`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(what)}`,
  ]
  return `${[...head, ...body].join('\n')}\n`
}

/** Every page by its file name. @param date of the version, such as 2026-11-23 */
export function manualPages(program: Command, date: string): Map<string, string> {
  const pages = new Map<string, string>()
  const version = program.version() ?? ''
  const commands = program.commands.filter(isShown)
  const also = commands.filter((command) => command.commands.length > 0).map((command) => `loghop-${command.name()}`)
  const seeAlso = (self: string): string[] => [
    '.SH SEE ALSO',
    ['loghop', ...also]
      .filter((name) => name !== self)
      .map((name) => `.BR ${roff(name)} (1)`)
      .join(',\n'),
  ]
  const files = [
    '.SH FILES',
    '.TP',
    '.I /etc/loghop/agent.yaml, /etc/loghop/relay.yaml',
    'configuration',
    '.TP',
    '.I /var/lib/loghop',
    'identity and spool',
  ]
  const codes = ['.SH EXIT STATUS', roff('0 done, 1 failed, 64 wrong usage, 78 wrong configuration.')]
  pages.set(
    'loghop.1',
    page('loghop', 'secure log forwarding', date, version, [
      '.SH SYNOPSIS',
      `.B loghop\n${roff(program.usage())}`,
      '.SH DESCRIPTION',
      sentence(program),
      '.SH COMMANDS',
      ...commands.flatMap((command) =>
        command.commands.length > 0
          ? [`.SS "${roff(`loghop ${command.name()}`)}"`, sentence(command), `See\n.BR ${roff(`loghop-${command.name()}`)} (1).`]
          : sectionOf(command),
      ),
      ...files,
      ...codes,
      ...seeAlso('loghop'),
    ]),
  )
  for (const command of commands) {
    if (command.commands.length === 0) continue
    const name = `loghop-${command.name()}`
    const body = [
      '.SH SYNOPSIS',
      `.B loghop ${command.name()}\n.I command\n[options]`,
      '.SH DESCRIPTION',
      sentence(command),
      '.SH COMMANDS',
    ]
    pages.set(
      `${name}.1`,
      page(name, command.description(), date, version, [
        ...body,
        ...command.commands.filter(isShown).flatMap(sectionOf),
        ...codes,
        ...seeAlso(name),
      ]),
    )
  }
  return pages
}

function wordsOf(command: Command): string[] {
  const options = command
    .createHelp()
    .visibleOptions(command)
    .flatMap((option) => (option.long === undefined || option.long === null ? [] : [option.long]))
  return [...command.commands.filter(isShown).map((one) => one.name()), ...options]
}

/** A script for bash: commands and options at their place, files else. */
export function bashCompletion(program: Command): string {
  const cases = [
    program,
    ...program.commands.filter(isShown),
    ...program.commands.filter(isShown).flatMap((one) => one.commands.filter(isShown)),
  ]
    .map((command) => `    '${path(command)}') words='${wordsOf(command).join(' ')}' ;;`)
    .join('\n')
  return `# Completion of loghop for bash.
_loghop() {
  local word path=loghop words=
  local index
  for ((index = 1; index < COMP_CWORD && index < 3; index++)); do
    word=\${COMP_WORDS[index]}
    [[ $word == -* ]] && break
    path+=" $word"
  done
  case $path in
${cases}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _loghop loghop
`
}
