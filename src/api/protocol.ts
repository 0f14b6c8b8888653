import { z } from 'zod';
import { type InstanceConfig, type InstanceInput, parseInstance } from '../config/index.js';
import { asError, nearest, problemsOf, shown } from '../config/problems.js';
import { instanceNameSchema } from '../config/schema.js';
import { VfError } from '../errors.js';
import type {
  ApiEvent,
  DaemonStatus,
  Decision,
  ErrorJson,
  ImpairmentRecord,
  InstanceStatus,
} from './types.js';

/**
 * The API: JSON objects, one per line, over a unix stream socket.
 *
 *     → {"id":1,"method":"status","params":{}}
 *     ← {"id":1,"result":…}   or   {"id":1,"error":{"code":…,"message":…,"field":…,"value":…,"fix":…}}
 *
 * After the answer to `watch`, `{"id":1,"event":…}` lines follow until either side closes. Requests of one connection are answered in order.
 * An error that belongs to no request has `"id":null`.
 */

/** Most bytes of a request line, and of events that wait for a subscriber to read them. */
export const MAX_LINE = 1024 * 1024;
export const MAX_BACKLOG = 1024 * 1024;

/** Types of event that `watch` streams. */
const EVENT_TYPES = [
  'decision',
  'status',
  'detached',
  'impairment',
] as const satisfies readonly ApiEvent['type'][];

const error = (text: string) => ({ error: text });
const nameParam = instanceNameSchema.describe('instance');
const hours24 = 24 * 3_600_000;
const forMs = z
  .int(error(`an integer from 1 to ${hours24} ms`))
  .min(1, error(`an integer from 1 to ${hours24} ms`))
  .max(hours24, error(`an integer from 1 to ${hours24} ms`));
const limit = z
  .int(error('an integer from 1 to 100000'))
  .min(1, error('an integer from 1 to 100000'))
  .max(100_000, error('an integer from 1 to 100000'));
const since = z.int(error('an integer from 0')).min(0, error('an integer from 0'));
const mapping = error('an object');

/** Parameters of each method except `attach`, which takes an instance as in the configuration file. */
const PARAMS = {
  ping: z.strictObject({}, mapping),
  status: z.strictObject({ name: nameParam.exactOptional() }, mapping),
  events: z.strictObject(
    {
      name: nameParam.exactOptional(),
      since: since.describe('only decisions with a greater seq').exactOptional(),
      limit: limit.describe('the newest so many').exactOptional(),
    },
    mapping,
  ),
  impairments: z.strictObject(
    {
      name: nameParam.exactOptional(),
      since: since.describe('only records with a greater seq').exactOptional(),
      limit: limit.describe('the newest so many').exactOptional(),
    },
    mapping,
  ),
  switch: z.strictObject(
    {
      name: nameParam,
      to: z.enum(['primary', 'standby', 'auto'], error('one of primary, standby, auto')),
      for_ms: forMs.describe('ms after which the override ends by itself').exactOptional(),
    },
    mapping,
  ),
  maintenance: z.strictObject(
    {
      name: nameParam,
      slave: z.enum(['primary', 'standby'], error('one of primary, standby')),
      on: z.boolean(error('true or false')).describe('out of service, or back in it'),
    },
    mapping,
  ),
  detach: z.strictObject({ name: nameParam }, mapping),
  watch: z.strictObject(
    {
      name: nameParam.exactOptional(),
      types: z
        .array(z.enum(EVENT_TYPES, error(`one of ${EVENT_TYPES.join(', ')}`)), {
          error: 'a list of event types',
        })
        .max(EVENT_TYPES.length, error(`a list of at most ${EVENT_TYPES.length} event types`))
        .describe('kinds of event wanted; absent: all')
        .exactOptional(),
    },
    mapping,
  ),
};

type Params<M extends keyof typeof PARAMS> = z.output<(typeof PARAMS)[M]>;

/** Result of `switch`. `decision` is null if the slave asked for was active already, or if the policy saw no reason. */
export interface SwitchResult {
  decision: Decision | null;
  status: InstanceStatus;
}

/** Result of `maintenance`. `decision` is null if the traffic did not have to move, or could not. `status.notes` say so. */
export type MaintenanceResult = SwitchResult;

/** Every method: its parameters, checked and completed, and its result. */
export interface ApiMethods {
  ping: { params: Params<'ping'>; result: { version: string; pid: number; uptime_ms: number } };
  status: { params: Params<'status'>; result: DaemonStatus };
  events: { params: Params<'events'>; result: Decision[] };
  impairments: { params: Params<'impairments'>; result: ImpairmentRecord[] };
  switch: { params: Params<'switch'>; result: SwitchResult };
  maintenance: { params: Params<'maintenance'>; result: MaintenanceResult };
  attach: { params: InstanceConfig; result: InstanceStatus };
  detach: { params: Params<'detach'>; result: { detached: string } };
  watch: { params: Params<'watch'>; result: { watching: true } };
}

export type ApiMethod = keyof ApiMethods;
export type WatchParams = Params<'watch'>;

/** Parameters as a client may send them: as `params`, but keys with a default may be left out. */
export type ApiRequestParams<M extends ApiMethod> = M extends 'attach'
  ? InstanceInput
  : ApiMethods[M]['params'];

/** Handlers that the daemon implements. The server answers `ping` and `watch` itself. A VfError thrown here is sent to the caller. */
export type ApiHandlers = {
  [M in Exclude<ApiMethod, 'ping' | 'watch'>]: (
    params: ApiMethods[M]['params'],
  ) => ApiMethods[M]['result'] | Promise<ApiMethods[M]['result']>;
};

export const METHODS: readonly ApiMethod[] = [
  'ping',
  'status',
  'events',
  'impairments',
  'switch',
  'maintenance',
  'attach',
  'detach',
  'watch',
];

export type RequestId = number | string;

/** A checked request, discriminated by `method`. */
export type ApiRequest = {
  [M in ApiMethod]: { id: RequestId; method: M; params: ApiMethods[M]['params'] };
}[ApiMethod];

export type ApiReply =
  | { id: RequestId; result: unknown }
  | { id: RequestId; event: ApiEvent }
  | { id: RequestId | null; error: ErrorJson };

function bad(message: string, field: string, value: unknown, fix: string): VfError {
  return new VfError('API_BAD_REQUEST', message, { field, value: shown(value), fix });
}

/** A request that could not be understood. It has the id to answer to if that could be read. */
export class BadRequest extends Error {
  constructor(
    readonly id: RequestId | null,
    readonly error: VfError,
  ) {
    super(error.message);
    this.name = 'BadRequest';
  }
}

/**
 * Reads one line, which may have any bytes.
 *
 * @throws BadRequest around API_BAD_REQUEST, API_UNKNOWN_METHOD or, for `attach`, CONFIG_INVALID or CONFIG_UNKNOWN_KEY
 */
export function parseRequest(line: string): ApiRequest {
  let id: RequestId | null = null;
  const fail = (fault: VfError): BadRequest => new BadRequest(id, fault);
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    throw fail(bad('the line is not JSON', 'line', line, 'send one JSON object per line'));
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    throw fail(
      bad('the line is not a JSON object', 'line', message, 'send {"id":…,"method":…,"params":{…}}'),
    );
  }
  const request = new Map(Object.entries(message));
  const given: unknown = request.get('id');
  const valid =
    (typeof given === 'number' && Number.isFinite(given)) ||
    (typeof given === 'string' && given.length <= 64);
  if (!valid)
    throw fail(bad('id is not a number or a short string', 'id', given, 'number the requests from 1'));
  id = given as RequestId;
  for (const key of request.keys()) {
    if (key === 'id' || key === 'method' || key === 'params') continue;
    throw fail(
      bad(
        `${shown(key)} is not a key of a request`,
        String(shown(key)),
        request.get(key),
        'send id, method, params',
      ),
    );
  }
  const method = request.get('method');
  if (typeof method !== 'string') {
    throw fail(bad('method is not a string', 'method', method, `name one of ${METHODS.join(', ')}`));
  }
  const known = METHODS.find((name) => name === method);
  if (known === undefined) {
    const guess = nearest(method, METHODS);
    throw fail(
      new VfError('API_UNKNOWN_METHOD', `there is no method ${JSON.stringify(shown(method))}`, {
        field: 'method',
        value: shown(method),
        fix: guess === undefined ? `name one of ${METHODS.join(', ')}` : `write ${guess}`,
      }),
    );
  }
  try {
    const params = request.has('params') ? request.get('params') : {};
    return { id, method: known, params: parseParams(known, params) } as ApiRequest;
  } catch (fault) {
    throw fault instanceof VfError ? fail(fault) : fault;
  }
}

/** @throws VfError as `parseRequest` */
export function parseParams<M extends ApiMethod>(method: M, input: unknown): ApiMethods[M]['params'];
export function parseParams(method: ApiMethod, input: unknown): unknown {
  if (method === 'attach') {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      throw bad('params is not an object', 'params', input, 'send an instance as in the configuration file');
    }
    return parseInstance(input, 'params');
  }
  const schema = PARAMS[method];
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error, {
    schema,
    input,
    prefix: ['params'],
    unknownKey: 'API_BAD_REQUEST',
    invalid: 'API_BAD_REQUEST',
  });
  throw asError('params', problems);
}
