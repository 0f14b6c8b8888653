import { expect, test } from 'vitest';
import { VfGroups } from '../../bpf/vfailover.bpf.js';
import { instanceSchema } from '../../src/config/schema.js';
import { programVariables } from '../../src/daemon/programs.js';

const variables = (more: object) =>
  programVariables(instanceSchema.parse({ name: 'net0', master: 'virtio0', ...more }));

test('group frames come in by either slave unless the configuration says otherwise', () => {
  expect(variables({}).vf_groups).toBe(VfGroups.VF_GROUPS_EITHER);
  expect(variables({ groups: 'either' }).vf_groups).toBe(VfGroups.VF_GROUPS_EITHER);
  expect(variables({ groups: 'active' }).vf_groups).toBe(VfGroups.VF_GROUPS_ACTIVE);
  expect(
    instanceSchema.safeParse({ name: 'net0', master: 'virtio0', groups: 'both' }).error?.issues[0],
  ).toMatchObject({
    path: ['groups'],
    message: 'one of either, active',
  });
});
