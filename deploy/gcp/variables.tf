variable "project" {
  description = "Id of the project that holds the datasets and pays."
  type        = string
}

variable "location" {
  description = "Location of datasets and bucket, for instance US or europe-west1; the same as NBA_FEATURES_GCP_LOCATION."
  type        = string
  default     = "US"
}

variable "region" {
  description = "Region of what is not a dataset."
  type        = string
  default     = "us-central1"
}

variable "registry_bucket" {
  description = "Name of the bucket of Feast's registry, unique in the world; the same as NBA_FEATURES_REGISTRY_BUCKET."
  type        = string
}
