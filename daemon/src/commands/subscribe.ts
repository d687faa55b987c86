import { command, listOf, oxd_id, required } from '../command.js'
import { eventNames, MOST_SITES } from '../events.js'

export const subscribe = command({
  doc: 'From now on this connection gets [events](#events) of the site, until it is closed. Replaces what it got of this site before; an empty list ends it.',
  spec: [],
  retry: 'safe',
  params: {
    oxd_id,
    events: listOf({ doc: 'Which ones. Default: all.' }, eventNames),
  },
  result: {
    events: required(listOf({ doc: 'What the connection gets of the site now.' }, eventNames)),
  },
  errors: ['invalid_oxd_id'],
  async run({ events, caller, refuse }, site, params) {
    const names = params.events ?? eventNames
    if (events.subscribe(caller, site.oxd_id, names)) return { events: names }
    return refuse(
      'quota_exceeded',
      `this connection gets events of ${MOST_SITES} sites, the most that one may; open another`,
      { details: { quota: 'subscriptions', limit: MOST_SITES } },
    )
  },
})
