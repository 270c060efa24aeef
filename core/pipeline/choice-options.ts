// What chooses messages beyond selectors, as it stands in agent.yaml and relay.yaml: in rules and, as `when`, in destinations.

import { z } from 'zod'
import { NETWORK_ALLOWED, readNetwork } from '../base/network-option.ts'
import { optionalOption, textOption } from '../base/option-kinds.ts'
import { optionNotes } from '../base/option-notes.ts'
import type { FilterOptions } from '../syslog/filter.ts'
import { readFacilityList, readLevels } from '../syslog/levels.ts'
import { readRegex } from '../syslog/linear-regex.ts'
import { readNames } from '../syslog/name-test.ts'

/** A text, or a list of them, each of which `read` takes. */
function textsOption(
  sense: string,
  allowed: string,
  read: (text: string) => { reason: string } | { kind: string },
): z.ZodType<string | string[]> {
  const one = textOption<string>({ sense, allowed }, (text) => {
    const result = read(text)
    return 'reason' in result ? { reason: result.reason } : { value: text }
  })
  return z.union([one, z.array(one).min(1)]).register(optionNotes, { allowed: `${allowed}, or a list` })
}

const namesAllowed = 'names such as "sshd,cron", "-sshd" for all but this, with * and ? for other characters'
export const programsOption = textsOption('Programs', namesAllowed, (text) => readNames(text, false))
export const hostsOption = textsOption('Hosts, by the name that they proved; @ is this one', namesAllowed, (text) => readNames(text, true))
const plainTexts = textsOption('A text that the message has', 'a text of at least one character', (text) =>
  text === '' ? { reason: 'empty' } : { kind: 'text' },
)

/** Facts about `when` that need the dialect are found by compileFilter. */
export const whenOption: z.ZodType<FilterOptions> = z.lazy(() =>
  z
    .strictObject({
      program: optionalOption(programsOption),
      host: optionalOption(hostsOption),
      peer: optionalOption(textsOption('Who handed the message over', namesAllowed, (text) => readNames(text, true))),
      source_address: optionalOption(textsOption('Where the originator was, as the first relay saw it', NETWORK_ALLOWED, readNetwork)),
      facility: optionalOption(textsOption('Facilities', 'facilities such as "mail,news"', readFacilityList)),
      level: optionalOption(textsOption('Levels', 'levels such as err or "warning..emerg"', readLevels)),
      match: optionalOption(plainTexts),
      message: optionalOption(
        textOption<string>(
          { sense: 'An expression that the text matches', allowed: 'a regular expression of RE2 between slashes, such as "/^Failed/i"' },
          (text) => {
            const result = readRegex(text)
            return result.kind === 'regex' ? { value: text } : { reason: result.reason }
          },
        ),
      ),
      structured_data: z
        .strictObject({ id: z.string().min(1), name: z.string().min(1).optional(), value: z.string().optional() })
        .refine(({ name, value }) => value === undefined || name !== undefined, { error: 'a value without the name of its parameter' })
        .optional(),
      property: optionalOption(textsOption('A property filter', '\'msg, contains, "text"\'', () => ({ kind: 'later' }))),
      all: z.array(whenOption).min(1).optional(),
      any: z.array(whenOption).min(1).optional(),
      not: whenOption.optional(),
    })
    .refine((part) => Object.values(part).some((value) => value !== undefined), { error: 'it tests nothing' }),
)
