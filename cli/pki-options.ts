// What several commands of the authority share.

import * as os from 'node:os'
import { type Command, InvalidArgumentError } from 'commander'
import { LoghopError } from '../core/base/errors.ts'
import { printable } from '../core/base/printable.ts'
import { parseDuration } from '../core/base/quantities.ts'
import { askTerminal, passphraseFrom } from './passphrase.ts'

export const PASSPHRASE_VARIABLE = 'LOGHOP_ROOT_PASSPHRASE'
const PASSPHRASE_CHARACTERS_MIN = 8

const COMMAND = /loghop pki (?:issue|invite|list|show|revoke|reset|crl|rotate|serve)\b(?! --directory)/g

/** Commands that a text names, with the directory they need: so they can be run as they stand. */
function inDirectory(directory: string, text: string): string {
  const word = /^[\w./-]+$/.test(directory) ? directory : `'${directory.replaceAll("'", "'\\''")}'`
  return text.replace(COMMAND, (command) => `${command} --directory ${word}`)
}

/** @param directory of the authority that commands named in the lines are for */
export function print(lines: readonly string[], directory?: string): void {
  const text = lines.join('\n')
  process.stdout.write(`${directory === undefined ? text : inDirectory(directory, text)}\n`)
}

/** An action on an authority: what its errors advise can be run as it stands. */
export function acting<Flags extends { readonly directory: string }, First>(
  work: (first: First, flags: Flags) => Promise<void>,
): (first: First, flags: Flags) => Promise<void> {
  return async (first, flags) => {
    try {
      await work(first, flags)
    } catch (error) {
      if (!(error instanceof LoghopError)) throw error
      const { code, message, remedy } = error
      throw new LoghopError(code, message, inDirectory(flags.directory, remedy), { cause: error })
    }
  }
}

/** The same for a command without an argument. */
export function actingAlone<Flags extends { readonly directory: string }>(
  work: (flags: Flags) => Promise<void>,
): (flags: Flags) => Promise<void> {
  const acted = acting<Flags, undefined>((_, flags) => work(flags))
  return (flags) => acted(undefined, flags)
}

export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value]
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('A whole number is needed.')
  return Number(text)
}

/** Milliseconds from `30s`, `12h`, `30d`. */
export function duration(text: string): number {
  const result = parseDuration(text)
  if (result.kind === 'malformed') throw new InvalidArgumentError(`${result.reason}; such as 20s, 12h or 30d.`)
  return result.value
}

export function directoryOption(command: Command): Command {
  return command.requiredOption('--directory <dir>', 'the authority, as made by "pki init"')
}

/** Who runs this, for the journal. */
export function whoActs(): string {
  const user = ((): string => {
    try {
      return os.userInfo().username
    } catch {
      return `uid ${process.getuid?.() ?? 'unknown'}`
    }
  })()
  const before = process.env['SUDO_USER']
  return before === undefined || before === user ? user : `${printable(before, 40)} as ${user}`
}

export interface PassphraseFlags {
  readonly passphraseFile?: string
  readonly passphrasePrompt?: boolean
}

export function passphraseOptions(command: Command): Command {
  return command
    .option('--passphrase-file <file>', `passphrase of the root's key, its first line (or ${PASSPHRASE_VARIABLE} in the environment)`)
    .option('--passphrase-prompt', 'ask for the passphrase on the terminal')
}

export const PASSPHRASE_HELP = `The passphrase of the root's key comes from --passphrase-file, from ${PASSPHRASE_VARIABLE}, or from --passphrase-prompt.`

function usage(sentence: string, remedy: string): LoghopError {
  return new LoghopError('USAGE', sentence, remedy)
}

/**
 * The passphrase of the root's key, from the one place that was named; undefined when none was.
 * @param isNew it will encrypt a key: it is asked for twice, and must have 8 characters
 */
export async function readPassphrase(flags: PassphraseFlags, isNew: boolean): Promise<string | undefined> {
  const fromEnvironment = process.env[PASSPHRASE_VARIABLE]
  const asks = flags.passphrasePrompt === true
  if (flags.passphraseFile !== undefined && asks) throw usage('Cannot take the passphrase from two places', 'Give one of the options')
  const found =
    flags.passphraseFile !== undefined
      ? passphraseFrom(flags.passphraseFile)
      : asks
        ? await askTerminal("Passphrase of the root's key: ")
        : fromEnvironment
  if (found === undefined) return undefined
  if (isNew && found.length < PASSPHRASE_CHARACTERS_MIN) {
    throw usage(`Cannot use the passphrase: it has under ${PASSPHRASE_CHARACTERS_MIN} characters`, 'Choose a longer one')
  }
  if (isNew && asks && (await askTerminal('The same once more: ')) !== found) {
    throw usage('Cannot use the passphrase: the two are not the same', 'Run it again')
  }
  return found
}
