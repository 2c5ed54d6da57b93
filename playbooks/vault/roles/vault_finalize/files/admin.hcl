# Everything that keeping a server in order takes. No root: seal, rekey and raw storage stay out of reach.
path "auth/*" {
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}
path "identity/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "secret/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
path "sys/audit*" {
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}
path "sys/auth*" {
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}
path "sys/capabilities*" {
  capabilities = ["create", "update"]
}
path "sys/health" {
  capabilities = ["read", "sudo"]
}
path "sys/leases/*" {
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}
path "sys/mounts*" {
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}
path "sys/policies/*" {
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}
path "sys/storage/raft/*" {
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}
