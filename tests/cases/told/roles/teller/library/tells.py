#!/usr/bin/python3
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={'told': {'type': 'raw'}, 'fails': {'type': 'bool', 'default': False}},
                       supports_check_mode=True)
told = module.params['told']
if isinstance(told, dict) and told.get('detail') == 'numbers':
    told['detail'] = {'far': 2 ** 70, 'near': 7, 'none': float('nan'), 'half': 0.5, 'nul': 'a\0b', 'deep': {'in': [{'in': None}]}}
if module.params['fails']:
    module.fail_json(msg='it fails', triphase_told=told)
module.exit_json(changed=False, triphase_told=told)
