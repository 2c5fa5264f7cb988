import { expect, it } from 'vitest';
import { groupOf } from '../../../../src/api/grpc/groups.js';
import { DaprService } from '../../../../src/gen/dapr/proto/runtime/v1/dapr.js';

/** As in reference §1.1; what is not listed here is a group of its own, which no list names. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'invoke v1': ['InvokeService'],
  'state v1': ['GetState', 'GetBulkState', 'SaveState', 'DeleteState', 'DeleteBulkState', 'ExecuteStateTransaction'],
  'state v1alpha1': ['QueryStateAlpha1'],
  'publish v1': ['PublishEvent', 'BulkPublishEvent'],
  'publish v1alpha1': ['BulkPublishEventAlpha1'],
  'bindings v1': ['InvokeBinding'],
  'secrets v1': ['GetSecret', 'GetBulkSecret'],
  'actors v1': [
    'RegisterActorTimer',
    'UnregisterActorTimer',
    'RegisterActorReminder',
    'UnregisterActorReminder',
    'UnregisterActorRemindersByType',
    'ListActorReminders',
    'GetActorReminder',
    'GetActorState',
    'ExecuteActorStateTransaction',
    'InvokeActor',
  ],
  'actors v1alpha1': ['SubscribeActorEventsAlpha1'],
  'metadata v1': ['GetMetadata', 'SetMetadata'],
  'configuration v1': ['GetConfiguration', 'SubscribeConfiguration', 'UnsubscribeConfiguration'],
  'configuration v1alpha1': ['GetConfigurationAlpha1', 'SubscribeConfigurationAlpha1', 'UnsubscribeConfigurationAlpha1'],
  'lock v1alpha1': ['TryLockAlpha1'],
  'unlock v1alpha1': ['UnlockAlpha1'],
  'crypto v1alpha1': ['EncryptAlpha1', 'DecryptAlpha1'],
  'workflows v1beta1': ['StartWorkflowBeta1', 'GetWorkflowBeta1', 'RaiseEventWorkflowBeta1'],
  'jobs v1': ['ScheduleJob', 'GetJob', 'DeleteJob', 'DeleteJobsByPrefix', 'ListJobs'],
  'jobs v1alpha1': ['ListJobsAlpha1', 'DeleteJobsByPrefixAlpha1'],
  'shutdown v1': ['Shutdown'],
  'subscribe v1alpha1': ['SubscribeTopicEventsAlpha1'],
  'conversation v1alpha2': ['ConverseAlpha2'],
};

it.each(Object.entries(GROUPS))('%s', (name, methods) => {
  for (const method of methods) {
    const { group, version } = groupOf(method);
    expect([method, `${group} ${version}`]).toEqual([method, name]);
  }
});

it('every method of the service has a group that a list can name', () => {
  const groups = new Set(
    Object.keys(GROUPS)
      .map((name) => name.split(' ')[0])
      .concat('subtlecrypto'),
  );
  const methods = Object.values(DaprService).map(({ path }) => path.split('/').at(-1) as string);
  expect(methods.filter((method) => !groups.has(groupOf(method).group))).toEqual([]);
});
