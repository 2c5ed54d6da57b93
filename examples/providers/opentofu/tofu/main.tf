# Stands for a server: put your provider's resources here, labelled or named with var.name, and give what reaches the host as outputs.

terraform {
  backend "local" {} # in the machine's folder: host.sh says where
}

variable "name" {
  type = string
}

variable "address" {
  type = string
}

resource "terraform_data" "server" {
  input = { name = var.name, address = var.address }
}

output "address" {
  value = terraform_data.server.output.address
}

output "reference" {
  value = terraform_data.server.id
}
