"""The kernel as judge: real packets through a real kernel, written without any code of the model that it judges."""
