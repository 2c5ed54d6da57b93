#include "config/connection_variables.h"

#include "base/memory.h"
#include "base/text.h"

const struct connection_variable connection_variables[] = {
    {"ansible_connection", CONNECTION_WHERE},
    {"ansible_host", CONNECTION_WHERE},
    {"ansible_ssh_host", CONNECTION_WHERE},
    {"ansible_port", CONNECTION_WHO},
    {"ansible_ssh_port", CONNECTION_WHO},
    {"ansible_user", CONNECTION_WHO},
    {"ansible_ssh_user", CONNECTION_WHO},
    {"ansible_private_key_file", CONNECTION_WHO},
    {"ansible_ssh_private_key_file", CONNECTION_WHO},
    {"ansible_ssh_args", CONNECTION_WHERE},
    {"ansible_ssh_common_args", CONNECTION_WHERE},
    {"ansible_ssh_extra_args", CONNECTION_WHERE},
    {"ansible_scp_extra_args", CONNECTION_WHERE},
    {"ansible_sftp_extra_args", CONNECTION_WHERE},
    {"ansible_ssh_executable", CONNECTION_WHERE},
    {"ansible_scp_executable", CONNECTION_WHERE},
    {"ansible_sftp_executable", CONNECTION_WHERE},
    {"ansible_ssh_pkcs11_provider", CONNECTION_WHERE},
    {"ansible_control_path", CONNECTION_WHERE},
    {"ansible_control_path_dir", CONNECTION_WHERE},
    {"ansible_host_key_checking", CONNECTION_WHERE},
    {"ansible_ssh_host_key_checking", CONNECTION_WHERE},
    {"ansible_password", CONNECTION_SECRET},
    {"ansible_ssh_pass", CONNECTION_SECRET},
    {"ansible_ssh_password", CONNECTION_SECRET},
    {"ansible_ssh_password_mechanism", CONNECTION_SECRET},
    {"ansible_sshpass_prompt", CONNECTION_SECRET},
    {"ansible_private_key", CONNECTION_SECRET},
    {"ansible_ssh_private_key", CONNECTION_SECRET},
    {"ansible_private_key_passphrase", CONNECTION_SECRET},
    {"ansible_ssh_private_key_passphrase", CONNECTION_SECRET},
    {"ansible_pipelining", CONNECTION_HOW},
    {"ansible_ssh_pipelining", CONNECTION_HOW},
    {"ansible_ssh_retries", CONNECTION_HOW},
    {"ansible_ssh_timeout", CONNECTION_HOW},
    {"ansible_ssh_transfer_method", CONNECTION_HOW},
    {"ansible_ssh_use_tty", CONNECTION_HOW},
    {"ansible_ssh_verbosity", CONNECTION_HOW},
    {"ansible_scp_if_ssh", CONNECTION_HOW},
    {"ansible_sftp_batch_mode", CONNECTION_HOW},
};
const size_t connection_variable_count = COUNT_OF(connection_variables);

const struct connection_variable *connection_variable_find(const char *name)
{
    for (size_t i = 0; i < connection_variable_count; i++)
        if (text_is(connection_variables[i].name, name))
            return &connection_variables[i];
    return NULL;
}

bool connection_variable_is_fixed(const struct connection_variable *variable)
{
    return variable->role == CONNECTION_WHERE || variable->role == CONNECTION_WHO;
}

bool connection_variable_is_fixed_by_name(const char *name)
{
    const struct connection_variable *variable = connection_variable_find(name);
    return variable && connection_variable_is_fixed(variable);
}
