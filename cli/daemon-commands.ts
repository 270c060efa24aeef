import type { Command } from 'commander'
import type { z } from 'zod'
import { loadConfiguration } from '../core/base/configuration.ts'
import { createLog, type Log } from '../core/base/log.ts'
import { type Verdict, verdictLines } from '../core/daemon/check.ts'
import { type Running, untilStopped } from '../core/daemon/lifecycle.ts'
import { askReload, askStatus } from '../core/daemon/status-socket.ts'
import { refusedLines, statusLines } from './status-lines.ts'

export const EXIT_FAILED = 1
export const EXIT_CONFIGURATION = 78

interface DaemonConfiguration {
  readonly spool: { readonly directory: string }
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly format: 'text' | 'json' }
  readonly stop_timeout: number
}

/** What the agent and the relay have in common on the command line. */
export interface Daemon<Options extends DaemonConfiguration> {
  readonly name: 'agent' | 'relay'
  readonly description: string
  readonly schema: z.ZodType<Options>
  /** @param read the configuration again */
  start(
    options: Options,
    log: Log,
    onFailure: (error: Error) => void,
    read: () => Options,
    progress: (what: string) => void,
  ): Promise<Running>
  check(options: Options): Promise<Verdict[]>
}

/** `loghop NAME run|check|status|reload --config FILE`. */
export function registerDaemon<Options extends DaemonConfiguration>(program: Command, daemon: Daemon<Options>): Command {
  const command = program.command(daemon.name).description(daemon.description)
  const file = `/etc/loghop/${daemon.name}.yaml`

  command
    .command('run')
    .description('run in the foreground until SIGTERM or SIGINT')
    .option('-c, --config <file>', 'configuration', file)
    .action(async (flags: { config: string }) => {
      const options = loadConfiguration(flags.config, daemon.schema)
      process.umask(0o027)
      const log = createLog(options.log.level, options.log.format, (line) => process.stderr.write(line))
      const onFailure = (error: Error): void => {
        log.error('failed', `${daemon.name} failed: ${error.message}`, {})
        // An orderly exit would wait for a thread that is blocked in a system call, perhaps for ever; the spool is made for this.
        process.kill(process.pid, 'SIGKILL')
      }
      // Whoever read our log is gone: that must not end what it told of.
      process.stderr.on('error', () => undefined)
      process.on('uncaughtException', onFailure)
      process.on('unhandledRejection', (reason) => onFailure(reason instanceof Error ? reason : new Error(String(reason))))
      await untilStopped(
        (progress) => daemon.start(options, log, onFailure, () => loadConfiguration(flags.config, daemon.schema), progress),
        options.stop_timeout,
        log,
      )
    })

  command
    .command('check')
    .description('read the configuration, open what run would open, and give a verdict')
    .option('-c, --config <file>', 'configuration', file)
    .option('--only-configuration', 'read the configuration and open nothing: for a daemon that is running')
    .action(async (flags: { config: string; onlyConfiguration?: boolean }) => {
      const options = loadConfiguration(flags.config, daemon.schema)
      if (flags.onlyConfiguration === true) {
        process.stdout.write(`good  configuration: ${flags.config}\n`)
        return
      }
      const verdicts = await daemon.check(options)
      const isGood = verdicts.every((verdict) => verdict.isGood)
      process.stdout.write(
        `${[`good  configuration: ${flags.config}`, ...verdictLines(verdicts), isGood ? 'ready to run' : 'not ready: mend what is marked BAD'].join('\n')}\n`,
      )
      if (!isGood) process.exitCode = EXIT_CONFIGURATION
    })

  const status = command
    .command('status')
    .description('ask the running daemon how it is; exit 1 when something is wrong')
    .option('-c, --config <file>', 'configuration', file)
    .option('--json', 'the whole status as JSON')
    .action(async (flags: { config: string; json?: boolean; refused?: boolean }) => {
      const options = loadConfiguration(flags.config, daemon.schema)
      const answer = await askStatus(options.spool.directory)
      if (flags.refused === true) {
        process.stdout.write(`${refusedLines(answer).join('\n')}\n`)
        return
      }
      const { lines, isGood } = statusLines(answer)
      process.stdout.write(flags.json === true ? `${JSON.stringify(answer, undefined, 2)}\n` : `${lines.join('\n')}\n`)
      if (!isGood) process.exitCode = EXIT_FAILED
    })
  command
    .command('reload')
    .description(
      'have the running daemon read its configuration again; exit 1 or 78 when it cannot take it over, and then it keeps the old one',
    )
    .option('-c, --config <file>', 'configuration, to find the daemon by', file)
    .option('--json', 'the answer as JSON')
    .action(async (flags: { config: string; json?: boolean }) => {
      const { spool } = loadConfiguration(flags.config, daemon.schema)
      const answer = await askReload(spool.directory)
      if (flags.json === true) process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`)
      else if (answer.isDone) process.stdout.write(`reloaded: ${answer.text}\n`)
      else process.stderr.write(`loghop: ${answer.text}\n`)
      process.exitCode = answer.exitCode
    })

  if (daemon.name === 'relay') status.option('--refused', 'the last 100 connections that were refused, and what to do about each')
  return command
}
