export { ApiClient, type ClientOptions, type RequestOptions, type Subscription } from './client.js';
export type {
  ApiHandlers,
  ApiMethod,
  ApiMethods,
  ApiRequestParams,
  MaintenanceResult,
  SwitchResult,
  WatchParams,
} from './protocol.js';
export { ApiServer, type ServerOptions } from './server.js';
export {
  ABSENT_DEVICE,
  type ApiEvent,
  type ApiEventType,
  type ApiStats,
  type DaemonStatus,
  type DampingStatus,
  type Decision,
  type DecisionCause,
  type DetectorStatus,
  type DeviceStatus,
  type ErrorJson,
  type ImpairmentRecord,
  type InstanceStatus,
  type PathCounters,
  type ShardStatus,
  type SlaveStatus,
} from './types.js';
export { VERSION } from './version.js';
