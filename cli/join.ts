import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import type { Command } from 'commander'
import { formatAddress, parseAddress } from '../core/base/address.ts'
import { errnoOf, LoghopError } from '../core/base/errors.ts'
import { join } from '../core/identity/join.ts'
import { dayOf, type Role } from '../core/transport/certificate.ts'

const IDENTITY_DIRECTORY = '/var/lib/loghop/identity'

/** What differs between the two programs: a configuration that is ready to run, but for what is said in its comments. */
export interface JoinTexts {
  readonly role: Role
  /** Options of the command beside the common ones, and what they make of the configuration. */
  addOptions(command: Command): Command
  configuration(identity: string, flags: Readonly<Record<string, string | undefined>>): { text: string; todo: string | undefined }
}

function writeOnce(file: string, text: string): 'written' | 'was there' {
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 })
    fs.writeFileSync(file, text, { flag: 'wx', mode: 0o644 })
    return 'written'
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return 'was there'
    const sentence = `Joined, but cannot write the configuration ${file}: ${errnoOf(error) ?? 'unexpected error'}`
    throw new LoghopError(
      'JOIN_CONFIGURATION',
      sentence,
      'Run the same command again as root, or name a file that this user may write: --config FILE',
      {
        cause: error,
      },
    )
  }
}

/** An address as it is written into a configuration. @throws {LoghopError} USAGE */
export function addressText(option: string, text: string): string {
  const result = parseAddress(text)
  if (result.kind === 'ok') return formatAddress(result.value)
  throw new LoghopError(
    'USAGE',
    `Cannot use ${option} ${JSON.stringify(text)}: ${result.reason}`,
    `Give ${option} HOST:PORT, such as relay.example.com:6514`,
  )
}

/** Adds `join TOKEN` to `agent` or `relay`. */
export function registerJoin(daemon: Command, texts: JoinTexts): void {
  const { role } = texts
  const command = daemon
    .command('join')
    .description('join this host with a token of "loghop pki invite": key made here, certificate fetched, all of it ready to run')
    .argument('<token>', 'what "loghop pki invite" has printed; - reads it from standard input')
    .option('--directory <dir>', 'identity directory', IDENTITY_DIRECTORY)
    .option('--name <name>', 'name of this host, for a token that is for a pattern of names')
    .option('-c, --config <file>', 'configuration to write if there is none', `/etc/loghop/${role}.yaml`)
  texts
    .addOptions(command)
    .action(async (text: string, flags: { directory: string; name?: string; config: string } & Record<string, string>) => {
      // The list of processes shows arguments to every user of the host, and this one holds a secret.
      process.title = `loghop ${role} join`
      const token = text === '-' ? fs.readFileSync(0, 'utf8') : text
      const directory = path.resolve(flags.directory)
      // Before the join, so that what is wrong with the options is said before anything is done.
      const { text: configuration, todo } = texts.configuration(directory, flags)
      const { identity, isNew, server } = await join({ token, role, directory, name: flags.name, hostName: os.hostname() }, Date.now())
      const config = path.resolve(flags.config)
      const wrote = writeOnce(config, configuration)
      const lines = [
        isNew ? `Joined as ${identity.name} (${role})` : `This host has joined as ${identity.name} (${role}) before; nothing was changed`,
        `  identity   ${directory}, valid to ${dayOf(identity.facts.validTo)}`,
        `  authority  ${formatAddress(server)}, which renews it by itself while "loghop ${role} run" runs`,
        wrote === 'written' ? `  wrote      ${config}` : `  kept       ${config} as it was; it should say "identity: ${directory}"`,
        ...(wrote === 'written' && todo !== undefined ? [todo] : []),
        `Next: give ${directory} to the user that runs it, then: loghop ${role} check --config ${config} && loghop ${role} run --config ${config}`,
        ...(isNew ? ['One that runs already takes the new identity on SIGHUP, or when it is started again.'] : []),
      ]
      process.stdout.write(`${lines.join('\n')}\n`)
    })
}
