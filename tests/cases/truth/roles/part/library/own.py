#!/usr/bin/python3
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({'word': {'type': 'str', 'required': True}}, supports_check_mode=True)
module.exit_json(changed=not module.check_mode, said=module.params['word'], checked=module.check_mode)
