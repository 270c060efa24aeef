import { CommanderError } from 'commander'
import { ConfigurationError } from '../core/base/configuration.ts'
import { explain, LoghopError } from '../core/base/errors.ts'
import { EXIT_CONFIGURATION, EXIT_FAILED } from './daemon-commands.ts'
import { makeProgram } from './program.ts'

const EXIT_USAGE = 64

/** Every subcommand inherits exitOverride only when it is made through `command()`, which all of them are. */
async function main(): Promise<number | undefined> {
  try {
    await (await makeProgram(process.argv[2])).parseAsync()
    return undefined
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE
    process.stderr.write(`loghop: ${explain(error)}\n`)
    if (error instanceof ConfigurationError) return EXIT_CONFIGURATION
    return error instanceof LoghopError && error.code === 'USAGE' ? EXIT_USAGE : EXIT_FAILED
  }
}

const code = await main()
if (code !== undefined) process.exitCode = code
